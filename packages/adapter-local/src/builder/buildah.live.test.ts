import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ociLayout, parseManifest } from '@kiwi/core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { layerOf, treeOf } from '../layers/testing.js'
import { applyLayer, type Bench, bench, busybox } from './testing.js'

/*
 * The same Dockerfile, context and base for Buildah and for the local builder: the same files, and the same configuration.
 */

const files = {
  'package.json': '{}',
  'src/index.js': 'console.log(1)',
  'src/deep/er/x': 'x',
  'src/skip.log': 'no',
  '.dockerignore': '**/*.log\n',
}

const dockerfiles: Readonly<Record<string, string>> = {
  copies:
    'FROM base\nCOPY package.json src/index.js /a/\nCOPY src /b\nCOPY src/ /c/d\nCOPY package.json /app/renamed\nCOPY s*c/*.js /e/\nWORKDIR /w/x\nCOPY . .',
  owners:
    'FROM base\nCOPY --chown=1000:1000 src /home/node/src\nCOPY --chmod=700 package.json /tmp/\nCOPY package.json /lib/',
  removed:
    'FROM base\nRUN rm -r /app/lower && mkdir /app/lower && echo 1 > /app/lower/new && rm /app/old && mkdir /app/old\nRUN echo x > /app/old/in && ln /app/old/in /app/hard',
  stages:
    'FROM base AS make\nRUN mkdir /out && echo 1 > /out/one && ln -s one /out/two && chown 5:6 /out/one\nFROM base\nCOPY --from=make /out /out\nCOPY --from=make /out/two /three',
  configuration:
    'ARG V=1\nFROM base\nARG V\nENV A=$V B="two words" A2=${A:-x}\nLABEL l=$A\nWORKDIR /app\nWORKDIR sub\nUSER node\nEXPOSE 80 81/udp\nVOLUME /data\nENTRYPOINT ["sh"]\nCMD -c "echo $A"\nSTOPSIGNAL SIGINT',
  user: 'FROM base\nWORKDIR /home/node\nUSER node\nRUN echo $HOME > mine && mkdir sub && touch sub/x && chmod 4711 sub/x',
}

let at: Bench
beforeEach(async () => {
  at = bench()
  at.write(files)
  const tools = ['sh', 'mkdir', 'rm', 'ln', 'echo', 'chown', 'chmod', 'touch'].map(
    (name) => [`bin/${name}`, '-> busybox'] as const,
  )
  await at.base(
    'base',
    [
      layerOf(['bin/'], ['bin/busybox', readFileSync(busybox ?? ''), { mode: 0o755 }], ...tools),
      layerOf(
        ['etc/'],
        ['etc/passwd', 'root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n'],
        ['etc/group', 'root:x:0:\nnode:x:1000:\n'],
        ['etc/hosts', ''],
        ['etc/resolv.conf', ''],
        ['etc/hostname', ''], // Buildah leaves one behind where there is none
        ...['app/', 'app/lower/', 'proc/', 'sys/', 'dev/', 'run/', 'usr/', 'usr/lib/', 'home/'].map(
          (name) => [name] as const,
        ),
        ['app/old', 'old'],
        ['app/lower/file', 'l'],
        ['lib', '-> usr/lib'],
        ['home/node/', '', { uid: 1000, gid: 1000 }],
        ['tmp/', '', { mode: 0o1777 }],
      ),
    ],
    { Env: ['PATH=/bin'], Cmd: ['sh'] },
  )
})
afterEach(() => at[Symbol.dispose]())

/** Builds with Buildah from the same base, and reads its image as an OCI layout. */
function buildah(dockerfile: string) {
  const storage = [
    '--root',
    join(at.directory, 'root'),
    '--runroot',
    join(at.directory, 'run'),
    '--storage-driver',
    'vfs',
  ]
  const run = (...args: string[]) =>
    execFileSync('buildah', [args[0] ?? '', ...storage, ...args.slice(1)], { stdio: ['ignore', 'pipe', 'pipe'] })
  const base = join(at.directory, 'bases')
  const root = at.manifest('base')
  writeFileSync(join(base, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(join(base, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [root] }))
  const target = `containers-storage:[vfs@${join(at.directory, 'root')}+${join(at.directory, 'run')}]localhost/base`
  execFileSync('skopeo', ['copy', '--quiet', `oci:${base}`, target])
  const file = join(at.directory, 'Dockerfile')
  writeFileSync(file, dockerfile.replaceAll('FROM base', 'FROM localhost/base'))
  run(
    'bud',
    '--quiet',
    '--isolation',
    'chroot',
    '--timestamp',
    '1750000000',
    '-t',
    'localhost/made',
    '-f',
    file,
    join(at.directory, 'context'),
  )
  const out = join(at.directory, 'out')
  run('push', '--quiet', 'localhost/made', `oci:${out}:made`)
  const layout = ociLayout(out)
  const index: { manifests: { digest: string }[] } = JSON.parse(readFileSync(join(out, 'index.json'), 'utf8'))
  const manifest = parseManifest(readFileSync(layout.path(index.manifests[0]?.digest ?? '')))
  const folder = join(at.directory, 'buildah')
  mkdirSync(folder)
  for (const { digest } of manifest.layers) applyLayer(layout.path(digest), folder)
  const config = JSON.parse(readFileSync(layout.path(manifest.config.digest), 'utf8'))
  return { tree: treeOf(folder), config: config.config }
}

it.each(Object.entries(dockerfiles))(
  'Buildah makes the same image of the Dockerfile with %s',
  async (_, dockerfile) => {
    const theirs = buildah(dockerfile)
    const ours = await at.build(dockerfile)
    expect(ours.tree()).toEqual(theirs.tree)
    const { Labels: { 'io.buildah.version': _version, ...labels } = {}, ...config } = theirs.config
    expect({ ...ours.config.config, Labels: ours.config.config.Labels ?? {} }).toEqual({ ...config, Labels: labels })
  },
)
