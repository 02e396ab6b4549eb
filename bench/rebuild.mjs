// One source line changed in a Node app with dependencies: build and push, beside the builders that people use, on the same base image and
// into the same registry. Kiwi is called in a running program, as its users do; the peers are the commands that theirs type.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { changeLine, writeApp } from './rebuild/app.mjs'
import { kiwiBuilder } from './rebuild/kiwi.mjs'
import { testbedScript } from './testbed.mjs'

export const rounds = 20
const registry = '127.0.0.1:5000'
const base = `${registry}/library/node:24-bookworm-slim`

export async function setup() {
  testbedScript('apt-install')
  testbedScript('registry-up')
  testbedScript('images', 'node:24-bookworm-slim')
  const home = mkdtempSync(join(tmpdir(), 'kiwi-bench-rebuild-'))
  const buildah = [
    '--root',
    join(home, 'buildah-storage'),
    '--runroot',
    join(home, 'buildah-run'),
    '--storage-driver',
    'overlay',
  ]
  const engines = {
    docker: testbedScript('docker-up').split('=')[1],
    buildkit: testbedScript('buildkit-up').split('=')[1],
    buildctl: testbedScript('tool', 'buildctl'),
  }
  return {
    home,
    buildah,
    ...engines,
    async [Symbol.asyncDispose]() {
      execFileSync('buildah', [...buildah, 'rm', '--all'], { stdio: 'ignore' })
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** @param {Awaited<ReturnType<typeof setup>>} context */
export function cases({ home, buildah, docker, buildkit, buildctl }) {
  const directories = Object.fromEntries(
    ['kiwi', 'buildkit', 'docker', 'buildah', 'process'].map((who) => [who, join(home, 'apps', who)]),
  )
  for (const directory of Object.values(directories)) writeApp(directory, base)
  const kiwi = kiwiBuilder({ state: join(home, 'state'), registry })
  const command = (name, args, environment = {}) =>
    execFileSync(name, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...environment },
      cwd: home,
    })
  const engine = { DOCKER_HOST: docker, DOCKER_BUILDKIT: '0' }
  const before = (round, who) => changeLine(directories[who], `round ${round} of ${who}`)
  return [
    {
      name: 'one line changed',
      aim: 0.33,
      before,
      kiwi: (round) => kiwi.buildAndPush(directories.kiwi, `r${round}`),
      peers: {
        buildkit: (round) =>
          command(buildctl, [
            ...[
              '--addr',
              buildkit,
              'build',
              '--frontend',
              'dockerfile.v0',
              '--local',
              `context=${directories.buildkit}`,
            ],
            ...[
              '--local',
              `dockerfile=${directories.buildkit}`,
              '--output',
              `type=image,name=${registry}/bench/buildkit:r${round},push=true`,
            ],
          ]),
        docker(round) {
          const image = `${registry}/bench/docker:r${round}`
          command('docker', ['build', '--quiet', '--tag', image, directories.docker], engine)
          command('docker', ['push', '--quiet', image], engine)
        },
        buildah(round) {
          const image = `${registry}/bench/buildah:r${round}`
          const isolation = ['--isolation', 'chroot', '--network', 'host', '--tls-verify=false']
          command('buildah', [
            ...buildah,
            'bud',
            '--quiet',
            '--layers',
            ...isolation,
            '--tag',
            image,
            directories.buildah,
          ])
          command('buildah', [...buildah, 'push', '--quiet', '--tls-verify=false', image])
        },
      },
    },
    {
      name: 'one line changed, as a process of its own',
      before: (round) => changeLine(directories.process, `round ${round}`),
      kiwi: (round) =>
        command(process.execPath, [
          join(import.meta.dirname, 'rebuild', 'kiwi.mjs'),
          ...[join(home, 'process-state'), registry, directories.process, `p${round}`],
        ]),
    },
  ]
}
