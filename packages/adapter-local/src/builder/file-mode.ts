import { KiwiError } from '@kiwi/core'
import type { Where } from './copy-sources.js'

const bits: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111 }
const whom: Readonly<Record<string, number>> = { u: 0o700, g: 0o070, o: 0o007, a: 0o777 }

/** Reads `--chmod`: octal, or words such as `u=rwX,go=rX`. Throws `CONTEXT_INVALID`. */
export function readMode(text: string, { line, instruction }: Where): (mode: number, isDirectory: boolean) => number {
  if (/^[0-7]{1,4}$/.test(text)) return () => Number.parseInt(text, 8)
  const clauses = text.split(',').map((clause) => /^([ugoa]*)([=+-])([rwxX]*)$/.exec(clause))
  if (clauses.some((clause) => clause === null)) {
    throw new KiwiError('CONTEXT_INVALID', `line ${line}: --chmod=${text} is no mode`, {
      hint: 'Write octal digits such as 755, or words such as u=rwX,go=rX.',
      evidence: { mode: text, line, instruction },
    })
  }
  return (mode, isDirectory) => clauses.reduce((now, clause) => applied(now, clause ?? [], isDirectory), mode)
}

function applied(mode: number, [, who = '', operator, what = '']: readonly string[], isDirectory: boolean): number {
  const mask = [...(who || 'a')].reduce((sum, letter) => sum | (whom[letter] ?? 0), 0)
  const executable = isDirectory || (mode & 0o111) !== 0
  const letters = [...what].map((letter) => (letter === 'X' ? (executable ? 'x' : '') : letter))
  const wanted = letters.reduce((sum, letter) => sum | (bits[letter] ?? 0), 0) & mask
  if (operator === '+') return mode | wanted
  return operator === '-' ? mode & ~wanted : (mode & ~mask) | wanted
}
