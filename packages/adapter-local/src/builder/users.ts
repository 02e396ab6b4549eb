import { KiwiError } from '@kiwi/core'
import type { StepUser } from '../isolation/index.js'
import type { View } from '../layers/index.js'

export interface FoundUser extends StepUser {
  readonly home: string
}

/** Whom USER means in this image: `name`, `uid`, either with `:group`; root needs no entry. Rejects a name that the image does not know with `CONTEXT_INVALID`. */
export function findUser(text: string, view: View): FoundUser {
  const [wanted = '', group] = splitOwner(text === '' ? '0' : text)
  const row = userRow(wanted, view)
  const uid = number(row?.[2]) ?? number(wanted === 'root' ? '0' : wanted)
  if (uid === undefined) throw unknown('user', wanted)
  const gid = group === undefined ? (number(row?.[3]) ?? 0) : findGroup(group, view)
  const name = row?.[0]
  const further = rows(view.text('etc/group')).filter(
    (cells) => name !== undefined && cells[3]?.split(',').includes(name),
  )
  const groups = group === undefined ? further.flatMap((cells) => number(cells[2]) ?? []) : []
  return {
    uid,
    gid,
    groups: groups.length > 0 ? [gid, ...groups.filter((id) => id !== gid)] : [],
    home: row?.[5] || '/',
  }
}

/** Whom `--chown` means. A user alone gives the group of the same number, or a named user's own group. */
export function findOwner(text: string, view: View): { readonly uid: number; readonly gid: number } {
  const [wanted = '', group] = splitOwner(text)
  const uid = number(wanted) ?? number(userRow(wanted, view)?.[2]) ?? (wanted === 'root' ? 0 : undefined)
  if (uid === undefined) throw unknown('user', wanted)
  if (group !== undefined) return { uid, gid: findGroup(group, view) }
  return { uid, gid: number(wanted) ?? number(userRow(wanted, view)?.[3]) ?? uid }
}

function splitOwner(text: string): [string, string?] {
  const colon = text.indexOf(':')
  return colon < 0 ? [text] : [text.slice(0, colon) || '0', text.slice(colon + 1) || '0']
}

function userRow(wanted: string, view: View): string[] | undefined {
  const all = rows(view.text('etc/passwd'))
  return all.find(([name]) => name === wanted) ?? all.find((cells) => cells[2] === wanted)
}

function findGroup(wanted: string, view: View): number {
  const gid = number(wanted) ?? number(rows(view.text('etc/group')).find(([name]) => name === wanted)?.[2])
  if (gid === undefined) throw unknown('group', wanted)
  return gid
}

function rows(table = ''): string[][] {
  return table.split('\n').map((line) => line.split(':'))
}

function number(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}

function unknown(kind: string, name: string): KiwiError {
  return new KiwiError('CONTEXT_INVALID', `the image has no ${kind} called ${name}`, {
    hint: `Create the ${kind} in an earlier RUN, or use a number.`,
    evidence: { [kind]: name },
  })
}
