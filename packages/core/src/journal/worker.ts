import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Worker } from '../contracts/v1/store.js'

/** This process as an owner of leases: enough for another process of the same host to tell whether it is still alive. */
export function thisWorker(): Worker {
  return {
    id: randomUUID(),
    host: hostname(),
    bootId: readOptional('/proc/sys/kernel/random/boot_id') ?? '',
    pidNamespace: readLinkOptional('/proc/self/ns/pid'),
    pid: process.pid,
    startedAt: processStart(process.pid) ?? '',
  }
}

/** Certain knowledge only: `true` when the owner ran on this host and its process is gone (killed, or the machine was started again). */
export function isGone(owner: Worker, self: Worker): boolean {
  if (owner.host !== self.host) return false
  if (owner.bootId !== self.bootId) return true
  if (owner.id === self.id || owner.pidNamespace !== self.pidNamespace) return false
  return owner.startedAt === '' ? !answersSignals(owner.pid) : processStart(owner.pid) !== owner.startedAt
}

/** How this process signs a folder that is only its own: `isLeftBehind` tells from the name whether it may be removed. */
export function folderPrefix(): string {
  return `${process.pid}-${processStart(process.pid) ?? ''}-`
}

/** Whether the process that made a folder of this name is known to be gone. */
export function isLeftBehind(name: string): boolean {
  const [, pid, startedAt] = /^(\d+)-(\d*)-/.exec(name) ?? []
  if (pid === undefined || startedAt === undefined) return false
  return startedAt === '' ? !answersSignals(Number(pid)) : processStart(Number(pid)) !== startedAt
}

/** The kernel's start time of a process (field 22 of /proc/PID/stat); `undefined` when it is gone, a zombie, or there is no /proc. */
function processStart(pid: number): string | undefined {
  const stat = readOptional(`/proc/${pid}/stat`)
  const [state, ...fields] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  return state === undefined || state === 'Z' ? undefined : fields[18]
}

function answersSignals(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

function readLinkOptional(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}
