import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { needTool } from '../tools/find.js'
import type { Limits } from './api.js'

/** Where systems mount control groups of version 2 (cgroups(7)). */
const mountPoint = '/sys/fs/cgroup'
const periodUs = 100_000
/** The kernel takes a moment to forget the processes of a group. */
const removalAttempts = 20
const removalPauseMs = 10

/** A group below which instances get their own, or in words why there is none. */
export type FoundGroup = { readonly group: string } | { readonly missing: string }

/** Makes the group, if this process may and the kernel's controllers are there. Never rejects. */
export async function findControlGroup(root: string = mountPoint): Promise<FoundGroup> {
  const controllers = await readFile(join(root, 'cgroup.controllers'), 'utf8').catch(() => undefined)
  if (controllers === undefined) return { missing: `control groups of version 2 are not mounted on ${root}` }
  const lacking = ['cpu', 'memory'].filter((name) => !controllers.trim().split(' ').includes(name))
  if (lacking.length > 0) return { missing: `${root} has no controller for ${lacking.join(' and ')}` }
  const group = join(root, 'kiwi')
  try {
    await mkdir(group, { recursive: true })
    for (const parent of [root, group]) await writeFile(join(parent, 'cgroup.subtree_control'), '+cpu +memory')
    return { group }
  } catch (error) {
    return { missing: `no group can be made in ${root}: ${error instanceof Error ? error.message : error}` }
  }
}

/** The group of one run of an instance's command. */
export interface ControlGroup {
  /** Put before a command line, makes it run in the group. */
  readonly prefix: readonly string[]
  /** Removes the group. Answers whether the kernel killed in it for want of memory. */
  close(): Promise<{ readonly outOfMemory: boolean }>
}

/** `undefined` where there are no limits to be kept. Rejects when they cannot be set. */
export async function openControlGroup(
  limits: Limits | undefined,
  { environment, directory }: { readonly environment: string; readonly directory: string },
): Promise<ControlGroup | undefined> {
  const { cpuMillis, memoryBytes } = limits ?? {}
  if (limits === undefined || (cpuMillis === undefined && memoryBytes === undefined)) return undefined
  const group = join(limits.group, `${markOf(environment)}-${relative(environment, directory).replaceAll('/', '-')}`)
  await mkdir(group, { recursive: true })
  if (memoryBytes !== undefined) {
    await writeFile(join(group, 'memory.max'), String(memoryBytes))
    await writeFile(join(group, 'memory.swap.max'), '0').catch(() => {}) // lacks where there is no swap
  }
  if (cpuMillis !== undefined)
    await writeFile(join(group, 'cpu.max'), `${Math.round((cpuMillis * periodUs) / 1000)} ${periodUs}`)
  const enter = 'echo 0 > "$0" && exec "$@"'
  return {
    prefix: [needTool('sh'), '-c', enter, join(group, 'cgroup.procs')],
    async close() {
      const events = await readFile(join(group, 'memory.events'), 'utf8').catch(() => '')
      await removeGroup(group)
      return { outOfMemory: Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0) > 0 }
    },
  }
}

/** Removes what a killed supervisor of the environment left. */
export async function removeLeftGroups(environment: string, root: string = mountPoint): Promise<void> {
  const parent = join(root, 'kiwi')
  const names = await readdir(parent).catch(() => [])
  for (const name of names.filter((one) => one.startsWith(`${markOf(environment)}-`)))
    await removeGroup(join(parent, name))
}

async function removeGroup(group: string): Promise<void> {
  for (let attempt = 0; attempt < removalAttempts; attempt += 1) {
    const error = await rmdir(group).catch((thrown: NodeJS.ErrnoException) => thrown)
    if (error?.code !== 'EBUSY') return
    await sleep(removalPauseMs)
  }
}

function markOf(environment: string): string {
  return createHash('sha256').update(environment).digest('hex').slice(0, 10)
}
