import { posix } from 'node:path'
import { KiwiError } from '@kiwi/core'
import type { MountSpec, MountSurroundings, PreparedMount } from './run-mounts.js'
import { unfit } from './run-mounts.js'

/** As for BuildKit. */
const mostBytes = 500_000

/**
 * `--mount=type=secret`: a file for the length of one step, in memory only. Which secret it is belongs to the key, what it says does not.
 * One that the build was not given is left out, or with `required` refused with `SECRET_MISSING`.
 */
export function secretMount(spec: MountSpec, { session, where }: MountSurroundings): PreparedMount {
  const { target, id = posix.basename(target), required, mode = '0400', uid = '0', gid = '0' } = spec
  if (!/^[0-7]{3,4}$/.test(mode) || !/^\d{1,9}$/.test(uid) || !/^\d{1,9}$/.test(gid)) {
    throw unfit(`mode=${mode},uid=${uid},gid=${gid} are no octal mode and numbers`, where)
  }
  const { secrets = {} } = session.request
  const reference = Object.hasOwn(secrets, id) ? secrets[id] : undefined
  if (reference === undefined && required === 'true') throw missing(id, where)
  const looks = { mode: Number.parseInt(mode, 8), uid: Number(uid), gid: Number(gid) }
  return {
    key: JSON.stringify(['secret', id, target, looks, reference !== undefined]),
    hold(_, use) {
      if (reference === undefined) return use([])
      return session.context.secret(reference, (value) => {
        if (Buffer.byteLength(value) > mostBytes)
          throw unfit(`the secret ${id} is longer than ${mostBytes} bytes`, where)
        return use([{ kind: 'secret', target, value, ...looks }])
      })
    },
  }
}

function missing(id: string, { line, instruction }: MountSurroundings['where']): KiwiError {
  return new KiwiError('SECRET_MISSING', `line ${line}: the secret ${id} was not given to the build`, {
    hint: `Name it in the service: build: { secrets: { ${id}: secret('NAME') } }.`,
    evidence: { id, line, instruction },
  })
}
