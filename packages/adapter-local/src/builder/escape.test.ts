import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { type BuildRequest, KiwiError } from '@kiwi/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { TarHeader } from '../layers/index.js'
import { layerOf, overlayMissing, treeOf } from '../layers/testing.js'
import { type Bench, type Built, bench, busybox } from './testing.js'

/** What lies outside of the source, and must neither be read nor changed. */
const secret = 'CANARY-of-this-machine'
const missing = overlayMissing ?? (busybox === undefined ? 'no busybox on this machine' : undefined)
if (missing) console.warn(`SKIPPED: escapes out of RUN (${missing})`)

let at: Bench
let outside: string
let before: Record<string, string>
beforeEach(() => {
  at = bench()
  outside = join(at.directory, 'outside')
  mkdirSync(join(outside, 'folder'), { recursive: true })
  writeFileSync(join(outside, 'canary'), secret, { mode: 0o600 })
  writeFileSync(join(outside, 'folder/canary'), secret)
  before = treeOf(outside)
  at.write({ inside: 'inside', 'src/a': 'a' })
})
afterEach(() => at[Symbol.dispose]())

/** Builds what may or may not be refused; whatever comes of it, nothing of this machine is in it, and nothing outside has changed. */
async function attempt(
  dockerfile: string,
  more: Partial<BuildRequest> = {},
  on: Bench = at,
): Promise<Built | KiwiError> {
  const result = await on.build(dockerfile, more).catch((error: unknown) => {
    if (KiwiError.is(error) && error.code !== 'INTERNAL') return error
    throw error
  })
  expect(treeOf(outside)).toEqual(before)
  if (KiwiError.is(result)) expect(JSON.stringify(result)).not.toContain(secret)
  else {
    expect(result.context.text()).not.toContain(secret)
    expect(layersText(on, result)).not.toContain(secret)
  }
  return result
}

function layersText(on: Bench, { layers }: Built): string {
  const file = (digest: string) => join(on.directory, 'sink/blobs/sha256', digest.slice('sha256:'.length))
  return layers.map((digest) => gunzipSync(readFileSync(file(digest))).toString('latin1')).join('')
}

const inContext = (name: string) => join(at.directory, 'context', name)

/** Ways in which a link of the context may lead out. */
const links: Readonly<Record<string, () => void>> = {
  'an absolute link': () => symlinkSync(join(outside, 'canary'), inContext('link')),
  'a relative link': () => symlinkSync('../outside/canary', inContext('link')),
  'a link with too many steps up': () =>
    symlinkSync('../'.repeat(40) + join(outside, 'canary').slice(1), inContext('link')),
  'a link to a directory': () => symlinkSync(join(outside, 'folder'), inContext('link')),
  'a chain of links': () => {
    symlinkSync('second', inContext('link'))
    symlinkSync('src/../third', inContext('second'))
    symlinkSync('../outside/folder', inContext('third'))
  },
  'a link through /proc': () => symlinkSync(`/proc/self/cwd/../../../../../../../..${outside}`, inContext('link')),
}

/** Ways in which a Dockerfile may use it. */
const uses: Readonly<Record<string, readonly [dockerfile: string, more?: Partial<BuildRequest>]>> = {
  COPY: ['FROM scratch\nCOPY link /x'],
  'COPY of what is behind it': ['FROM scratch\nCOPY link/canary /x'],
  'COPY of a pattern': ['FROM scratch\nCOPY link/* l*k* /x/'],
  'COPY of all': ['FROM scratch\nCOPY . /'],
  ADD: ['FROM scratch\nADD link link/canary /x/'],
  'a named context': ['FROM scratch\nCOPY --from=named . /', { contexts: { named: 'link' } }],
  'the build context': ['FROM scratch\nCOPY . /', { contextPath: 'link' }],
  'the Dockerfile’s ignore file': ['FROM scratch\nCOPY . /', { dockerfilePath: 'link/x' }],
}

describe('a link in the context', () => {
  const rows = Object.keys(links).flatMap((link) => Object.keys(uses).map((use) => [link, use] as const))
  it.each(rows)('%s reaches nothing outside: %s', async (link, use) => {
    links[link]?.()
    const [dockerfile = '', more] = uses[use] ?? []
    await attempt(dockerfile, more)
  })
})

type Entry = readonly [name: string, content?: string, more?: Partial<TarHeader>]

/** Archives that no well-meaning program makes; `OUT` is the folder outside. */
const archives: Readonly<Record<string, readonly Entry[]>> = {
  'a name that leads up': [['../outside/new', 'x']],
  'a name that leads up from within': [['a/../../../outside/new', 'x']],
  'an absolute name': [['OUT/new', 'x']],
  'a file through an absolute link': [
    ['l', '-> OUT'],
    ['l/new', 'x'],
  ],
  'a file through a relative link': [
    ['l', '-> ../../outside'],
    ['l/new', 'x'],
  ],
  'a file through two links': [
    ['l', '-> m'],
    ['m', '-> OUT'],
    ['l/new', 'x'],
  ],
  'a file over a link': [
    ['l', '-> OUT/canary'],
    ['l', 'overwritten'],
  ],
  'a directory over a link': [['l', '-> OUT'], ['l/'], ['l/new', 'x']],
  'a hard link to a file outside': [
    ['h', '=> OUT/canary'],
    ['h', 'overwritten'],
  ],
  'a hard link that leads up': [['h', '=> ../outside/canary']],
  'a hard link through a link': [
    ['l', '-> OUT'],
    ['h', '=> l/canary'],
  ],
  'a whiteout that leads up': [['../outside/.wh.canary', '']],
  'a whiteout of the parent': [['a/.wh...', '']],
  'a whiteout through a link': [
    ['l', '-> OUT'],
    ['l/.wh.canary', ''],
  ],
  'an opaque directory outside': [
    ['l', '-> OUT'],
    ['l/.wh..wh..opq', ''],
  ],
  'a device of the disk': [['disk', '', { type: 'block-device', mode: 0o666, device: { major: 8, minor: 0 } }]],
  'the root as a link': [
    ['.', '-> OUT'],
    ['new', 'x'],
  ],
}

const placed = (entries: readonly Entry[]) =>
  entries.map(
    ([name, content = '', more = {}]): Entry => [name.replace('OUT', outside), content.replace('OUT', outside), more],
  )

describe('an archive', () => {
  it.each(Object.keys(archives))('that ADD unpacks, with %s, reaches nothing outside', async (name) => {
    const layer = layerOf(...placed(archives[name] ?? []))
    writeFileSync(inContext('a.tar.gz'), Buffer.concat(await Array.fromAsync(layer.open(new AbortController().signal))))
    await attempt('FROM scratch\nADD a.tar.gz /')
    await attempt('FROM scratch\nADD a.tar.gz /deep/er/')
  })

  it.each(Object.keys(archives))('that is a layer, with %s, reaches nothing outside', async (name) => {
    await at.base('evil', [layerOf(...placed(archives[name] ?? []))])
    await attempt('FROM scratch\nCOPY --from=evil / /copied/')
    await attempt('FROM evil\nWORKDIR /l/w\nCOPY inside /l/')
  })

  it.skipIf(missing).each(Object.keys(archives))(
    'that is below a RUN, with %s, reaches nothing outside',
    async (name) => {
      const box = layerOf(['bin/'], ['bin/sh', readFileSync(busybox ?? ''), { mode: 0o755 }])
      await at.base('evil', [box, layerOf(...placed(archives[name] ?? []))])
      await attempt('FROM evil\nRUN echo new > /l/from-run; echo new > /h; echo new > /l')
    },
  )
})

describe('a Dockerfile', () => {
  it.each([
    ['a source above the context', 'FROM scratch\nCOPY ../outside/canary /'],
    ['a source with an absolute path', 'FROM scratch\nCOPY /../outside/canary /'],
    ['a pattern above the context', 'FROM scratch\nCOPY ../outside/* ../*/canary /'],
    ['a variable that leads up', 'FROM scratch\nARG P=../outside\nCOPY $P/canary /'],
    ['a destination above the root', 'FROM scratch\nCOPY inside ../../../../../../outside/new'],
    ['a working directory above the root', 'FROM scratch\nWORKDIR ../../../outside\nCOPY inside new'],
    ['a heredoc whose name is a path', 'FROM scratch\nCOPY <<../outside/new /\nx\n../outside/new'],
    ['a stage whose name is a path', 'FROM scratch AS ../outside\nCOPY inside /'],
    ['a context whose name is a path', 'FROM scratch\nCOPY --from=../outside . /'],
    ['a user who is a path', 'FROM scratch\nCOPY --chown=../outside/canary inside /'],
    ['a label of the prototype', 'FROM scratch\nLABEL __proto__=x constructor=y\nENV __proto__=z'],
    ['an exclude that leads up', 'FROM scratch\nCOPY --exclude=!../outside/** . /'],
  ])('with %s reaches nothing outside', async (_, dockerfile) => {
    await attempt(dockerfile)
  })
})

describe.skipIf(missing)('a command', () => {
  const tools =
    'sh cat ls echo mount umount mkdir mknod dd chroot kill ps touch ln rm sleep nsenter unshare id cp sysctl find'
  const base = async () => {
    const box = layerOf(['bin/'], ['bin/busybox', readFileSync(busybox ?? ''), { mode: 0o755 }])
    const names = tools.split(' ').map((name) => [`bin/${name}`, '-> busybox'] as const)
    await at.base('base', [box, layerOf(...names, ['etc/'], ['etc/passwd', 'root:x:0:0::/:/bin/sh\n'])], {
      Env: ['PATH=/bin'],
    })
  }

  it.each([
    ['reads by its path', 'cat OUT/canary'],
    ['goes up from the root', 'cat ../../../../../../../../OUT/canary'],
    ['goes through the working directory of the first process', 'cat /proc/1/cwd/OUT/canary /proc/1/root/OUT/canary'],
    [
      'goes through files that were left open',
      'for f in /proc/self/fd/* /proc/1/fd/*; do cat $f/OUT/canary $f/canary; done',
    ],
    [
      'makes a root of its own and leaves it',
      'mkdir /r; chroot /r /bin/sh -c "cat /OUT/canary"; chroot /proc/1/root cat OUT/canary',
    ],
    ['mounts a disk', 'mknod /sda b 8 0; mount /sda /etc; mknod /vda b 254 0; mount /vda /etc && cat /etc/OUT/canary'],
    ['reads a disk', 'mknod /vda b 254 0; dd if=/vda bs=1k count=1; mknod /mem c 1 1; dd if=/mem bs=1k count=1'],
    ['mounts /proc again', 'mkdir /p; mount -t proc proc /p; cat /p/1/root/OUT/canary'],
    [
      'mounts what is around it',
      'mkdir /m; mount --bind / /m; mount -t overlay x -o lowerdir=/,upperdir=/m,workdir=/m /m',
    ],
    ['takes its mounts away', 'umount /; umount -l /; umount /proc; umount /dev; cat /OUT/canary'],
    ['enters other namespaces', 'nsenter -t 1 -m -- cat OUT/canary; nsenter --mount=/proc/1/ns/mnt cat OUT/canary'],
    ['makes namespaces', 'unshare -m -- mount --bind / /proc; unshare -U -r -m -- cat /OUT/canary'],
    [
      'changes the kernel',
      'echo 1 > /proc/sys/kernel/panic; echo b > /proc/sysrq-trigger; echo x > /proc/sys/kernel/core_pattern',
    ],
    [
      'changes devices',
      'echo 1 > /sys/class/block/vda/ro; echo 1 > /sys/power/state; find /sys -name uevent -writable',
    ],
    [
      'takes over control groups',
      'mkdir /cg; mount -t cgroup2 none /cg && echo x > /cg/cgroup.procs; mount -t cgroup -o memory none /cg',
    ],
    ['kills what is not its own', 'kill -9 -1; kill -9 1; sleep 0.1'],
    ['looks for other processes', 'ps | cat; ls /proc | cat; cat /proc/[2-9]*/environ'],
    ['writes into the settings of this machine', 'echo x > /run/kiwi/npmrc; rm -rf /run/kiwi/*; ln -s OUT /run/kiwi/l'],
    [
      'leaves a link in its cache for the next one',
      'ln -s OUT $npm_config_cache/l; echo x > $npm_config_cache/l/new; cat $npm_config_cache/l/canary',
    ],
    ['leaves a process behind', '(sleep 300; echo x > /late) & echo $!'],
    [
      'replaces what is mounted over',
      'rm -f /etc/hosts /etc/resolv.conf; ln -sf OUT/canary /etc/hosts; cat /etc/hosts',
    ],
  ])('that %s reaches nothing outside', async (_, command) => {
    await base()
    await attempt(`FROM base\nRUN (${command.replaceAll('OUT', outside)}) 2>&1; true\nCOPY inside /after`)
  })

  it('that puts links where the next step mounts leads no mount out', async () => {
    await base()
    await attempt(
      `FROM base\nRUN ln -s ${outside} /m && ln -s ${outside}/canary /s
RUN --mount=type=cache,target=/m echo x > /m/new; --mount=type=tmpfs,target=/m/folder true; true
RUN --mount=source=inside,target=/s,rw echo x > /s; true\nRUN --mount=target=/m/folder,rw echo x > /m/folder/new; true`,
    )
  })

  it('that fills a cache with links leads no later mount out', async () => {
    await base()
    const cache = '--mount=type=cache,target=/c'
    await attempt(
      `FROM base\nRUN ${cache} rm -rf /c/d; ln -s ${outside} /c/d\nRUN ${cache} --mount=type=tmpfs,target=/c/d true`,
    )
    await attempt(`FROM base\nRUN ${cache} echo x > /c/d/new; cat /c/d/canary; true`)
    expect(readdirSync(outside).sort()).toEqual(['canary', 'folder'])
  })
})
