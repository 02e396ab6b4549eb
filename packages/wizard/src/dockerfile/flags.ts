import { fail } from './fail.js'
import type { RawInstruction } from './reader.js'

type FlagKind = 'text' | 'list' | 'boolean'

/** The flags an instruction may carry, by name. */
export type FlagTable = Readonly<Record<string, FlagKind>>

export type FlagValues<T extends FlagTable> = {
  readonly [Name in keyof T]: T[Name] extends 'list'
    ? readonly string[]
    : T[Name] extends 'boolean'
      ? boolean | undefined
      : string | undefined
}

/** Reads `--name=value` flags against a table; unknown, repeated and empty ones are syntax errors. */
export function readFlags<T extends FlagTable>(raw: RawInstruction, table: T): FlagValues<T> {
  const values: Record<string, string[]> = Object.fromEntries(Object.keys(table).map((name) => [name, []]))
  for (const flag of raw.flags) {
    const { name, value } = checkFlag(raw, flag, table)
    const given = values[name] ?? []
    if (given.length > 0 && table[name] !== 'list') {
      fail(raw, `--${name} is given twice`, `Keep one --${name}.`, `--${name}`)
    }
    given.push(value)
  }
  const typed = Object.entries(table).map(([name, kind]) => [name, convert(values[name] ?? [], kind)])
  // The table says which kind each name has; the entries above were converted by exactly that table.
  return Object.fromEntries(typed) as FlagValues<T>
}

function checkFlag(raw: RawInstruction, flag: string, table: FlagTable): { name: string; value: string } {
  const equals = flag.indexOf('=')
  const name = flag.slice(2, equals === -1 ? undefined : equals)
  const value = equals === -1 ? undefined : flag.slice(equals + 1)
  const kind = Object.hasOwn(table, name) ? table[name] : undefined
  if (kind === undefined) {
    const known = Object.keys(table).map((flagName) => `--${flagName}`)
    const hint = known.length === 0 ? `${raw.keyword} takes no flags.` : `${raw.keyword} takes ${known.join(', ')}.`
    return fail(raw, `unknown flag --${name} for ${raw.keyword}`, hint, `--${name}`)
  }
  if (kind !== 'boolean') {
    if (value !== undefined) return { name, value }
    return fail(raw, `--${name} has no value`, `Write --${name}=VALUE, without a space.`, flag)
  }
  const lower = value?.toLowerCase() ?? 'true'
  if (lower === 'true' || lower === 'false') return { name, value: lower }
  return fail(raw, `--${name} is neither true nor false`, `Write --${name} or --${name}=false.`, flag)
}

function convert(given: readonly string[], kind: FlagKind): string | boolean | readonly string[] | undefined {
  if (kind === 'list') return given
  const [value] = given
  return kind === 'boolean' && value !== undefined ? value === 'true' : value
}
