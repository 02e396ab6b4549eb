import { KiwiError } from '@kiwi/core'
import type { View } from '../layers/index.js'

export interface User {
  readonly uid: number
  readonly gid: number
  readonly home: string
}

/**
 * Whom an image's USER means: `name`, `uid`, `name:group`, `uid:gid`; empty is root. Names are the image's own.
 * Throws `RUNTIME_FAILED` for a name that the image does not know.
 */
export function findUser(text: string, view: View): User {
  const [wanted = '', group] = text.split(':')
  const row = rows(view.text('etc/passwd')).find(([name, , uid]) => (wanted || '0') === uid || wanted === name)
  const uid = number(row?.[2] ?? wanted)
  if (uid === undefined) throw unknown('user', wanted)
  const gid = group === undefined || group === '' ? (number(row?.[3]) ?? 0) : findGroup(group, view)
  return { uid, gid, home: row?.[5] || '/' }
}

function findGroup(wanted: string, view: View): number {
  const row = rows(view.text('etc/group')).find(([name, , gid]) => wanted === gid || wanted === name)
  const gid = number(row?.[2] ?? wanted)
  if (gid === undefined) throw unknown('group', wanted)
  return gid
}

function rows(table = ''): string[][] {
  return table.split('\n').map((line) => line.split(':'))
}

function number(text: string | undefined): number | undefined {
  return text === undefined || !/^\d*$/.test(text) ? undefined : Number(text)
}

function unknown(kind: string, name: string): KiwiError {
  return new KiwiError('RUNTIME_FAILED', `the image has no ${kind} called ${name}`, {
    hint: `Create the ${kind} in the Dockerfile before USER names it, or use a number.`,
    retryable: false,
  })
}
