import type * as z from 'zod/mini'
import { KiwiError } from '../errors/kiwi-error.js'
import { suggest } from '../sources/suggest.js'

/** What is wrong at one place. Values are never repeated: one may be a secret. */
export interface InputProblem {
  /** With dots, `(whole)` for the whole. */
  readonly path: string
  /** The kind of what was given: `string`, `number`, `missing`, `unknown key`, … */
  readonly given: string
  readonly allowed: string
}

type Issue = z.core.$ZodIssue
const shownProblems = 20
const keptProblems = 200

/** One problem per place that zod found fault with. Every schema's message says what is allowed there. */
export function problemsOf(issues: readonly Issue[], input: unknown, above: readonly string[] = []): InputProblem[] {
  return issues.flatMap((issue) => {
    const path = [...above, ...issue.path.map(String)]
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key, index) => unknownKey([...path, key], issue.message, index < keptProblems))
    if (issue.code === 'invalid_key')
      return { path: pathText(path), given: 'key', allowed: issue.issues[0]?.message ?? '' }
    const branch = issue.code === 'invalid_union' ? closest(issue.errors) : undefined
    if (branch && typeof valueAt(input, path) === 'object') return problemsOf(branch, input, path)
    return { path: pathText(path), given: kindOf(valueAt(input, path)), allowed: issue.message }
  })
}

/** @param what `service definition` */
export function inputInvalid(what: string, problems: readonly InputProblem[]): KiwiError {
  const list = problems
    .slice(0, shownProblems)
    .map(({ path, given, allowed }) => `${path}: ${given}; allowed: ${allowed}`)
  const more = problems.length > shownProblems ? ` | and ${problems.length - shownProblems} more` : ''
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  return new KiwiError('INPUT_INVALID', `the ${what} has ${count}: ${list.join(' | ')}${more}`, {
    evidence: { problems: problems.slice(0, keptProblems).map((one) => ({ ...one })) },
  })
}

/** Keys are shown, shortened and with what is no letter written out. */
export function pathText(path: readonly string[]): string {
  return path.map(keyText).join('.') || '(whole)'
}

function keyText(key: string): string {
  return /^[\w-]{1,80}$/.test(key) ? key : JSON.stringify(key.slice(0, 80))
}

/** `known` is what the object allows, as the schema's message lists it. */
function unknownKey(path: readonly string[], known: string, closeOnes: boolean): InputProblem {
  const [close] = closeOnes ? suggest((path.at(-1) ?? '').slice(0, 80), known.split(', '), 1) : []
  const allowed = close === undefined ? known : `${known} (did you mean ${close}?)`
  return { path: pathText(path), given: 'unknown key', allowed }
}

/** The alternative that was meant: the one that knows most of the keys, then the one with the fewest faults. */
function closest(alternatives: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const unknownKeys = (issues: readonly Issue[]) =>
    issues.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 0), 0)
  return [...alternatives].sort((a, b) => unknownKeys(a) - unknownKeys(b) || a.length - b.length)[0]
}

function valueAt(input: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Readonly<Record<string, unknown>>)[key] // `hasOwn` looked
        : undefined,
    input,
  )
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}
