import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Launch, Limits } from './api.js'
import { findControlGroup, openControlGroup } from './control-group.js'
import { described } from './exit.js'
import { startProcess } from './process.js'

const found = await findControlGroup()
if ('missing' in found) console.warn(`SKIPPED: limits kept by the kernel (${found.missing})`)

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-group-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

/** Plain files where the kernel would have a group: shows what it is told. */
function paperGroup(controllers: string): string {
  const root = join(directory, 'cgroup')
  mkdirSync(root)
  writeFileSync(join(root, 'cgroup.controllers'), `${controllers}\n`)
  return root
}

function run(argv: readonly string[], limits: Limits) {
  const root = { form: 'directory', path: directory, made: directory } as const
  const launch: Launch = {
    ...{ root, argv, env: {}, workingDirectory: '/', user: { uid: 0, gid: 0 }, stopSignal: 'SIGTERM', limits },
    ...{ network: { kind: 'host', port: 1 }, mounts: [] },
  }
  const instance = join(directory, 'slots/a/a-1')
  return startProcess({ launch, directory: instance, environment: directory, port: 1, output: () => {} })
}

describe('a control group', () => {
  it('is not to be had without version 2, without its controllers, or without the right, and the reason is told', async () => {
    expect(await findControlGroup(directory)).toEqual({ missing: expect.stringContaining('not mounted') })
    const root = paperGroup('hugetlb cpu')
    expect(await findControlGroup(root)).toEqual({ missing: expect.stringContaining('no controller for memory') })
    writeFileSync(join(root, 'cgroup.controllers'), 'cpu memory')
    writeFileSync(join(root, 'kiwi'), 'in the way')
    expect(await findControlGroup(root)).toEqual({ missing: expect.stringContaining('EEXIST') })
  })

  it('is told the limits, and the command enters it before anything else', async () => {
    const root = paperGroup('cpuset cpu io memory')
    expect(await findControlGroup(root)).toEqual({ group: join(root, 'kiwi') })
    expect(readFileSync(join(root, 'kiwi/cgroup.subtree_control'), 'utf8')).toBe('+cpu +memory')
    const limits = { group: join(root, 'kiwi'), cpuMillis: 500, memoryBytes: 1_000_000 }
    const instance = { environment: directory, directory: join(directory, 'slots/a/a-1') }
    const group = await openControlGroup(limits, instance)
    const [, , , processes = ''] = group?.prefix ?? []
    const told = (name: string) => readFileSync(join(processes, '..', name), 'utf8')
    expect([told('memory.max'), told('cpu.max')]).toEqual(['1000000', '50000 100000'])
    const running = await run(['sh', '-c', 'exit 3'], limits)
    expect(await running.ended).toMatchObject({ code: 3, outOfMemory: false })
    expect(told('cgroup.procs')).toBe('0\n')
    writeFileSync(join(processes, '../memory.events'), 'oom 1\noom_kill 1\n')
    const killed = await (await run(['sh', '-c', 'kill -9 $$'], limits)).ended
    expect(described(killed)).toMatchObject({ reason: 'OOMKilled' })
  })

  it('is not made where nothing is limited', async () => {
    expect(await openControlGroup({ group: '/nowhere' }, { environment: '/e', directory: '/e/x' })).toBeUndefined()
  })

  it.skipIf('missing' in found)('ends what takes more memory than it may', async () => {
    const group = 'group' in found ? found.group : ''
    const greedy = [process.execPath, '-e', 'const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))']
    const running = await run(greedy, { group, memoryBytes: 200_000_000 })
    expect(described(await running.ended)).toMatchObject({ reason: 'OOMKilled' })
  })
})
