import type { Json } from '../contracts/v1/json.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { formsOf } from './forms.js'
import { createMatcher, type Found, type Match } from './matcher.js'
import { partsOf, shortestSecret } from './parts.js'

/** Replaces secrets by `[redacted:NAME]`, in whatever form they turn up. */
export interface Redactor {
  /** From now on the value is masked, also in streams already begun. Throws `INPUT_INVALID` below 4 characters. */
  add(value: string, name: string): void
  text(input: string): string
  /**
   * Deep, with keys. Left as they are: numbers, and outside of `evidence` keys that are one word and the closed lists of words that programs
   * branch on (`type: 'blob'`, `status: 'failed'`), and the keys they look things up by (`releaseId`).
   */
  json<T extends Json>(value: T): T
  /** For output that comes in pieces. One per stream. */
  lines(): RedactorStream
}

/** Holds back only what may be the beginning of a secret. */
export interface RedactorStream {
  /** Takes the next piece, cut anywhere (also inside a character), and gives what is safe to show; may be empty. */
  push(chunk: Uint8Array | string): string
  /** Gives what was held back. */
  end(): string
}

/** Covers raw, base64 in three alignments and both alphabets, URL, JSON, shell, XML and hex forms, single lines, passwords of pairs. */
export function createRedactor(): Redactor {
  const matcher = createMatcher()
  const known = new Set<string>()
  const text = (input: string) => mask(input, matcher.find(input).matches)
  return {
    add(value, name) {
      if (known.has(value)) return
      if (value.trim().length < shortestSecret) throw tooShort(name)
      for (const part of partsOf(value)) for (const form of formsOf(part)) matcher.add(form, name)
      known.add(value)
    },
    text,
    json: (value) => maskJson(value, matcher.find),
    lines: () => createStream(matcher.find),
  }
}

type Find = (text: string) => Found

/** `goesOn` is said of a match whose mark stands elsewhere already. */
function mask(input: string, matches: readonly (Match & { readonly goesOn?: boolean })[]): string {
  let output = ''
  let done = 0
  for (const { start, end, name, goesOn } of matches) {
    output += input.slice(done, start) + (goesOn ? '' : `[redacted:${name}]`)
    done = end
  }
  return done === 0 ? input : output + input.slice(done)
}

/** Below `evidence` anything may stand; elsewhere the names of fields, and the words of a closed list that programs branch on, are our own. */
function maskJson<T extends Json | undefined>(value: T, find: Find, free = false): T {
  const text = (input: string) => mask(input, find(input).matches)
  // The casts hold because each branch gives back the shape it was given.
  if (typeof value === 'string') return text(value) as T
  if (Array.isArray(value)) {
    if (isLines(value)) return maskLines(value, find) as Json as T
    return value.map((item: Json) => maskJson(item, find, free)) as Json as T
  }
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).map(([key, item]) => {
    if (!free && typeof item === 'string' && isWord(key, item)) return [key, item]
    const name = !free && /^[A-Za-z]+$/.test(key) ? key : text(key)
    return [name, maskJson(item, find, free || key === 'evidence')]
  })
  return Object.fromEntries(fields) as Json as T
}

function isLines(value: readonly Json[]): value is string[] {
  return value.length > 1 && value.every((item) => typeof item === 'string')
}

/** A list of texts is often what was one text, in lines, and so may be a secret in it: what goes on from one to the next is left out of the next. */
function maskLines(lines: readonly string[], find: Find): string[] {
  const { matches } = find(lines.join('\n'))
  let from = 0
  return lines.map((line) => {
    const begin = from
    const end = begin + line.length
    from = end + 1
    const here = matches.filter((match) => match.start < end && match.end > begin)
    return mask(
      line,
      here.map((match) => ({
        ...match,
        start: Math.max(match.start - begin, 0),
        end: match.end - begin,
        goesOn: match.start < begin,
      })),
    )
  })
}

const wordFields: ReadonlySet<string> = new Set([
  'type',
  'kind',
  'code',
  'status',
  'state',
  'stage',
  'phase',
  'effect',
  'stream',
  'direction',
  'verdict',
  'owner',
])

/** By these a program finds what the event is about; they are made of digits and of names that the definition says openly. */
const keyFields: ReadonlySet<string> = new Set(['runId', 'releaseId', 'digest'])

/** A secret that happens to be `failed` or `production` must not make the end of a run unreadable. */
function isWord(field: string, text: string): boolean {
  if (keyFields.has(field)) return /^[a-z0-9]+(?:[-_.:/][a-z0-9]+)*$/i.test(text)
  return wordFields.has(field) && /^[A-Za-z]+(?:[-_][A-Za-z]+)*$/.test(text)
}

function createStream(find: Find): RedactorStream {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  /** The last of what was given out already: a base64 text may go on from it, on the next line. */
  let given = ''
  let held = ''
  const give = (input: string, limit: (found: Found) => number): string => {
    const found = find(given + input)
    const from = given.length
    const end = Math.max(limit(found), from)
    const matches = found.matches.filter((match) => match.end > from && match.end <= end)
    const text = given + input
    const output = mask(
      text.slice(from, end),
      matches.map(({ start, end, name }) => ({ start: Math.max(start - from, 0), end: end - from, name })),
    )
    given = lastLetters(text, end)
    held = text.slice(end)
    return output
  }
  return {
    push: (chunk) =>
      give(
        held + (typeof chunk === 'string' ? decoder.decode() + chunk : decoder.decode(chunk, { stream: true })),
        ({ open }) => open,
      ),
    end: () => give(held + decoder.decode(), () => Number.POSITIVE_INFINITY),
  }
}

/** Up to three characters with the line ends after each, of the text before `end`; nothing where no line ends there. */
function lastLetters(text: string, end: number): string {
  const last = text.slice(Math.max(end - 9, 0), end)
  return /[\r\n]/.test(last) ? (/(?:[^\r\n][\r\n]{1,2}|[^\r\n]){0,3}$/.exec(last)?.[0] ?? '') : ''
}

function tooShort(name: string): KiwiError {
  return new KiwiError(
    'INPUT_INVALID',
    `the value of the secret ${name} is shorter than ${shortestSecret} characters`,
    {
      hint: 'Give it a longer value: one this short cannot be kept out of logs without masking other words too.',
      evidence: { secret: name },
    },
  )
}
