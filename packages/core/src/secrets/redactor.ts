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
  /** Deep; keys are left as they are. */
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
    json: (value) => maskJson(value, text),
    lines: () => createStream(matcher.find),
  }
}

function mask(input: string, matches: readonly Match[]): string {
  let output = ''
  let done = 0
  for (const { start, end, name } of matches) {
    output += `${input.slice(done, start)}[redacted:${name}]`
    done = end
  }
  return done === 0 ? input : output + input.slice(done)
}

function maskJson<T extends Json | undefined>(value: T, text: (input: string) => string): T {
  // The casts hold because each branch gives back the shape it was given.
  if (typeof value === 'string') return text(value) as T
  if (Array.isArray(value)) return value.map((item: Json) => maskJson(item, text)) as Json as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, maskJson(item, text)])) as Json as T
}

function createStream(find: (text: string) => Found): RedactorStream {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let held = ''
  return {
    push(chunk) {
      const input =
        held + (typeof chunk === 'string' ? decoder.decode() + chunk : decoder.decode(chunk, { stream: true }))
      const { matches, open } = find(input)
      held = input.slice(open)
      return mask(
        input.slice(0, open),
        matches.filter(({ end }) => end <= open),
      )
    },
    end() {
      const input = held + decoder.decode()
      held = ''
      return mask(input, find(input).matches)
    },
  }
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
