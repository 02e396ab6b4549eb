import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeScratch, mergedView } from '../layers/index.js'
import { indexCollector } from '../layers/layer-index.js'
import { overlayMissing, treeOf } from '../layers/testing.js'
import type { StepCommand } from './command.js'
import { type NamespacedStep, runInNamespaces } from './namespaces.js'

const missing = overlayMissing ?? (busybox() === undefined ? 'no busybox on this machine' : undefined)
if (missing) console.warn(`SKIPPED: tests of steps in namespaces (${missing})`)

/** A statically linked program that is all that the images of these tests hold. */
function busybox(): string | undefined {
  try {
    return execFileSync('sh', ['-c', 'command -v busybox']).toString().trim()
  } catch {
    return undefined
  }
}

let state = ''
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'kiwi-steps-'))
})
afterEach(() => rm(state, { recursive: true }))

async function lowerOf(): Promise<string> {
  const lower = join(state, 'lower')
  await mkdir(lower, { recursive: true })
  return lower
}

async function run(
  script: string,
  more: Partial<Omit<NamespacedStep, 'command'>> & { command?: Partial<StepCommand> } = {},
) {
  const lower = await lowerOf()
  const links =
    'for name in sh env id cat ls grep head mkdir mknod mount chroot cp sleep hostname sort; do ln -sf busybox $name; done'
  execFileSync('sh', ['-c', `mkdir -p bin app tmp; chmod 1777 tmp; cp ${busybox()} bin/busybox; cd bin; ${links}`], {
    cwd: lower,
  })
  const collector = indexCollector()
  const header = { mode: 0o755, uid: 0, gid: 0, size: 0, mtimeSeconds: 0 }
  for (const name of ['bin', 'app']) collector.add({ ...header, name, type: 'directory' })
  collector.add({ ...header, name: 'tmp', type: 'directory', mode: 0o1777 })
  for (const name of ['bin/sh', 'bin/env']) collector.add({ ...header, name, type: 'file' })
  const scratch = await makeScratch(state)
  let text = ''
  let errors = ''
  const { command, ...rest } = more
  const result = await runInNamespaces({
    scratch: scratch.directory,
    lowers: [lower],
    view: mergedView([collector.finish()]),
    mounts: [],
    network: 'host',
    onOutput: async (bytes, stream) => {
      if (stream === 'out') text += Buffer.from(bytes).toString()
      else errors += Buffer.from(bytes).toString()
    },
    signal: new AbortController().signal,
    ...rest,
    command: {
      argv: ['/bin/sh', '-c', script],
      env: { PATH: '/bin' },
      directory: '/app',
      user: { uid: 0, gid: 0, groups: [] },
      ...command,
    },
  })
  return { ...result, text: text.trim(), errors, scratch: scratch.directory }
}

describe.skipIf(missing)('a step in namespaces', () => {
  it('runs in its directory with its environment alone and leaves only what it wrote', async () => {
    const { exitCode, text, upper } = await run('pwd; env | sort; echo $$; echo 1 > made', {
      command: { env: { PATH: '/bin', A: 'b c' } },
    })
    expect(exitCode).toBe(0)
    expect(text.split('\n').filter((line) => !line.startsWith('SHLVL') && !line.startsWith('PWD'))).toEqual([
      '/app',
      'A=b c',
      'PATH=/bin',
      expect.any(String),
    ])
    expect(Object.keys(treeOf(upper))).toEqual(['app', 'app/made'])
  })

  it('tells the exit code, and both streams apart', async () => {
    expect(await run('echo out; echo err >&2; exit 7')).toMatchObject({ exitCode: 7, text: 'out', errors: 'err\n' })
  })

  it('runs as the user, with further groups, and without the rights of root', async () => {
    const plain = await run('id; echo x > /bin/new', { command: { user: { uid: 1000, gid: 1001, groups: [] } } })
    expect(plain.text).toContain('uid=1000 gid=1001')
    expect(plain.errors).toContain('/bin/new')
    const grouped = await run('id; pwd', { command: { user: { uid: 1000, gid: 1001, groups: [1001, 50] } } })
    expect(grouped.text).toBe('uid=1000 gid=1001 groups=50,1001\n/app')
  })

  it('sees no process, mount or device of the host, and cannot change the kernel', async () => {
    const { text } = await run(
      'ls /proc | grep -c "^[0-9]"; echo 1 > /proc/sys/vm/drop_caches || echo kept; mknod /disk b 254 0 && (head -c 1 /disk || echo shut); mount -t tmpfs x /tmp || echo no-mount; hostname; ls /dev/null',
    )
    const lines = text.split('\n')
    expect(Number(lines[0])).toBeLessThan(6)
    expect(lines.slice(1)).toEqual(['kept', 'shut', 'no-mount', 'kiwi', '/dev/null'])
  })

  it('cannot leave its root', async () => {
    const { text } = await run(
      'mkdir /cell; cp -r /bin /cell/bin; chroot /cell /bin/sh -c "cd ../../../..; ls"; cd /proc/1/root && ls',
    )
    expect(text).not.toContain('work')
    expect(text).not.toContain('home')
  })

  it('sees build-only files that leave nothing in the layer', async () => {
    const file = join(state, 'secret')
    await writeFile(file, 'npmrc')
    const { text, upper } = await run(
      'cat /run/kiwi/file; echo x > /run/kiwi/file || echo read-only; cat /etc/resolv.conf > /dev/null && grep -c kiwi /etc/hosts; echo o > /etc/other',
      {
        mounts: [{ kind: 'host', source: file, target: '/run/kiwi/file', type: 'file', readOnly: true }],
      },
    )
    expect(text).toMatch(/npmrc.*read-only.*1/s)
    expect(Object.keys(treeOf(upper))).toEqual(['etc', 'etc/other'])
    expect(await readFile(file, 'utf8')).toBe('npmrc')
  })

  it('looks names up as the host does, also where the image’s files lead elsewhere', async () => {
    const collector = indexCollector()
    const header = { mode: 0o755, uid: 0, gid: 0, size: 0, mtimeSeconds: 0 }
    for (const name of ['bin', 'app', 'tmp', 'etc']) collector.add({ ...header, name, type: 'directory' })
    collector.add({ ...header, name: 'etc/resolv.conf', type: 'symlink', link: '/run/stub/resolv.conf' })
    execFileSync('sh', ['-c', 'mkdir -p etc; ln -s /run/stub/resolv.conf etc/resolv.conf'], { cwd: await lowerOf() })
    const view = mergedView([collector.finish()])
    const { text, upper } = await run('cat /etc/resolv.conf; cat /run/stub/resolv.conf; echo x > /run/new', { view })
    const host = (await readFile('/etc/resolv.conf', 'utf8').catch(() => '')).trim()
    expect(text).toBe(`${host}\n${host}`.trim())
    expect(Object.keys(treeOf(upper))).toEqual(['run', 'run/new'])
  })

  it('dies with all it started when it is cancelled, and leaves nothing mounted', async () => {
    const controller = new AbortController()
    const marker = `3${process.pid}7`
    const running = run(`(sleep ${marker} &) ; trap "" TERM; echo ready; sleep ${marker}`, {
      command: { user: { uid: 1000, gid: 1000, groups: [] } },
      signal: controller.signal,
      onOutput: async () => controller.abort(new Error('enough')),
    })
    await expect(running).rejects.toThrow('enough')
    for (let attempt = 0; attempt < 50 && processes(marker) !== ''; attempt++) await sleep(20)
    expect(processes(marker)).toBe('')
    expect(await readFile('/proc/self/mounts', 'utf8')).not.toContain(state)
  })

  it('ends what the command left running in the background', async () => {
    const marker = `4${process.pid}7`
    await run(`sleep ${marker} &`)
    expect(processes(marker)).toBe('')
  })
})

function processes(marker: string): string {
  const find = `for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline 2>/dev/null | grep -x 'sleep ${marker} ' || true; done`
  return execFileSync('sh', ['-c', find], { stdio: ['ignore', 'pipe', 'ignore'] }).toString()
}
