import { chmod, chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { lockExclusively } from '../supervisor/lock.js'
import { keyOf } from './key.js'
import { type MountSpec, type MountSurroundings, type PreparedMount, unfit } from './run-mounts.js'
import type { Session } from './session.js'

/**
 * `--mount=type=cache`: a directory that stays between builds. Builds of one scope (a service in an environment) share it and nobody else:
 * what one Dockerfile writes there another would run. Its content is no part of the key.
 */
export function cacheMount(spec: MountSpec, { session, where }: MountSurroundings): PreparedMount {
  const { target, id = target, sharing = 'shared', readonly, mode = '0755', uid = '0', gid = '0' } = spec
  if (!['shared', 'private', 'locked'].includes(sharing)) throw unfit(`${sharing} is no way to share a cache`, where)
  if (!/^[0-7]{3,4}$/.test(mode) || !/^\d{1,9}$/.test(uid) || !/^\d{1,9}$/.test(gid)) {
    throw unfit(`mode=${mode},uid=${uid},gid=${gid} are no octal mode and numbers`, where)
  }
  const readOnly = readonly === 'true'
  const looks = { mode: Number.parseInt(mode, 8), uid: Number(uid), gid: Number(gid) }
  return {
    key: JSON.stringify(['cache', target, id, readOnly]),
    async hold(_, use) {
      using cache = await takeCache(cacheFolder(session, id), sharing, session.context.signal)
      await makeOwn(cache.directory, looks)
      // Awaited: the lock is held until the step has ended.
      return await use([{ kind: 'host', source: cache.directory, target, type: 'directory', readOnly }])
    },
  }
}

/** Where the caches of this build's scope of that name lie. */
export function cacheFolder({ workshop, context }: Session, id: string): string {
  return join(workshop.directory, 'mount-cache', keyOf(context.operation.fence.scope, id).slice(0, 40))
}

interface TakenCache extends Disposable {
  readonly directory: string
}

const waitMs = 50

/** `locked` waits for the one who has it; `private` takes another one then. The lock goes with the process. */
async function takeCache(folder: string, sharing: string, signal: AbortSignal): Promise<TakenCache> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (let number = 0; ; ) {
    const directory = join(folder, String(number))
    if (sharing === 'shared') return { directory, [Symbol.dispose]: () => {} }
    const lock = lockExclusively(`${directory}.lock`)
    if (lock !== undefined) return { directory, [Symbol.dispose]: () => lock[Symbol.dispose]() }
    if (sharing === 'private') number += 1
    else await pause(waitMs, undefined, { signal })
  }
}

/** Looks are given to a new one only: a step may have changed them. */
export async function makeOwn(
  directory: string,
  { mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number },
): Promise<void> {
  const made = await mkdir(directory, { recursive: true })
  if (made === undefined) return
  await chmod(directory, mode)
  if (process.getuid?.() === 0) await chown(directory, uid, gid)
}
