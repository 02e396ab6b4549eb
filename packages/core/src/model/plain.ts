import { KiwiError } from '../errors/kiwi-error.js'
import { type InputProblem, pathText } from './problems.js'

/** More than any definition that people write; less than what would take noticeable time. */
const limits = { depth: 16, values: 20_000, characters: 1_000_000 }

interface Copy {
  readonly value: unknown
  /** What was no plain JSON; at these places the copy holds `null`. */
  readonly problems: readonly InputProblem[]
}

/**
 * Copies input into plain JSON of our own; getters are not run. They, proxies that throw, cycles, class instances, `__proto__` and
 * numbers that JSON has not become problems. Properties that are `undefined` are left out. Throws `INPUT_INVALID` for what is endlessly deep or large.
 */
export function plainCopy(input: unknown, what: string): Copy {
  const state: State = { what, problems: [], parents: new Set(), values: 0, characters: 0 }
  return { value: input === undefined ? undefined : copy(input, [], state), problems: state.problems }
}

interface State {
  readonly what: string
  readonly problems: InputProblem[]
  readonly parents: Set<object>
  values: number
  characters: number
}

function copy(value: unknown, path: readonly string[], state: State): unknown {
  state.values += 1
  if (state.values > limits.values) throw tooMuch(state, `has more than ${limits.values} values`)
  if (path.length > limits.depth) throw tooMuch(state, `is nested more than ${limits.depth} deep`)
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'string') return copyText(value, path, state)
  if (typeof value === 'number')
    return Number.isFinite(value) ? value : problem(path, 'a number that JSON has not', state)
  if (typeof value !== 'object') return problem(path, value === undefined ? 'missing' : typeof value, state)
  if (state.parents.has(value)) return problem(path, 'a cycle', state)
  state.parents.add(value)
  const copied = copyObject(value, path, state)
  state.parents.delete(value)
  return copied
}

function copyText(value: string, path: readonly string[], state: State): string | null {
  state.characters += value.length
  if (state.characters > limits.characters) throw tooMuch(state, `has more than ${limits.characters} characters`)
  if (value.includes('\0')) return problem(path, 'a string with NUL in it', state)
  return value.isWellFormed() ? value : problem(path, 'a string with half a character in it', state)
}

/** Everything a proxy can intercept happens in here. */
function copyObject(value: object, path: readonly string[], state: State): unknown {
  let properties: [string, PropertyDescriptor][]
  let length: number | undefined
  try {
    const prototype = Object.getPrototypeOf(value)
    // Another realm's Object.prototype counts too.
    const plain = prototype === null || Object.getPrototypeOf(prototype) === null
    if (!plain && !Array.isArray(value)) return problem(path, 'an object of a class', state)
    length = Array.isArray(value) ? value.length : undefined
    if (length !== undefined && length > limits.values) throw tooMuch(state, `has more than ${limits.values} values`)
    properties = Object.entries(Object.getOwnPropertyDescriptors(value)).filter(([, { enumerable }]) => enumerable)
  } catch (error) {
    if (KiwiError.is(error)) throw error
    return problem(path, 'an object that cannot be read', state)
  }
  return length === undefined ? copyRecord(properties, path, state) : copyArray(properties, length, path, state)
}

function copyRecord(properties: [string, PropertyDescriptor][], path: readonly string[], state: State): unknown {
  const record: Record<string, unknown> = {}
  for (const [key, descriptor] of properties) {
    const inside = [...path, key]
    if (key === '__proto__' || copyText(key, inside, state) === null) problem(inside, 'unknown key', state)
    else if (descriptor.get || descriptor.set) record[key] = problem(inside, 'a getter', state)
    else if (descriptor.value !== undefined) record[key] = copy(descriptor.value, inside, state)
  }
  return record
}

function copyArray(properties: [string, PropertyDescriptor][], length: number, path: readonly string[], state: State) {
  const items = new Map(properties)
  const extra = properties.find(([key]) => !/^\d+$/.test(key))
  if (extra) problem([...path, extra[0]], 'unknown key', state)
  return Array.from({ length }, (_, index) => {
    const descriptor = items.get(String(index))
    const inside = [...path, String(index)]
    if (descriptor?.get || descriptor?.set) return problem(inside, 'a getter', state)
    return copy(descriptor?.value, inside, state)
  })
}

function problem(path: readonly string[], given: string, { problems }: State): null {
  problems.push({ path: pathText(path), given, allowed: 'plain JSON' })
  return null
}

function tooMuch({ what }: State, why: string): KiwiError {
  return new KiwiError('INPUT_INVALID', `the ${what} ${why}`)
}
