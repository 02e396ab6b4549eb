import type { Form } from './forms.js'

/** A stretch of text to mask: `start` up to, not including, `end`. */
export interface Match {
  readonly start: number
  readonly end: number
  readonly name: string
}

export interface Found {
  /** In order, without overlaps. */
  readonly matches: readonly Match[]
  /** From here on the text may be the beginning of something that is masked; its length when not. Never inside a match. */
  readonly open: number
}

interface Pattern extends Form {
  readonly name: string
}

const keyLength = 4

/**
 * Finds many texts in one pass: the last four characters, rolled into one number, lead to the few patterns that begin with them.
 * Adding a pattern costs the same however many there are.
 */
export function createMatcher(): { add(form: Form, name: string): void; find(text: string): Found } {
  const patterns = new Map<number, Pattern[]>()
  /** Says no for most positions without a look into the map. */
  const filter = new Uint8Array(1 << 18)
  /** The first one, two and three characters of each pattern: what the end of a chunk may hold of it. */
  const beginnings = new Set<string>()
  return {
    add(form, name) {
      const key = keyOf(form.text)
      const same = patterns.get(key)
      if (same) same.push({ ...form, name })
      else patterns.set(key, [{ ...form, name }])
      filter[fold(key)] = 1
      for (let length = 1; length < keyLength; length++) beginnings.add(form.text.slice(0, length))
    },
    find(text) {
      if (patterns.size === 0) return { matches: [], open: text.length }
      const matches: Match[] = []
      let open = openEnd(text, beginnings)
      const look = (start: number, key: number, wrapping: boolean) => {
        for (const pattern of patterns.get(key) ?? []) {
          if (wrapping && !pattern.wraps) continue
          const end = compare(text, start, pattern)
          if (end === 'open') open = Math.min(open, start)
          else if (end !== 'other') cover(matches, { start, end, name: pattern.name })
        }
      }
      let key = 0
      let joined = 0 // the key of a text without its line ends
      let sinceLineEnd = keyLength
      for (let i = 0; i < text.length; i++) {
        const code = text.charCodeAt(i)
        key = roll(key, code)
        if (filter[fold(key)] !== 0 && i >= keyLength - 1) look(i - keyLength + 1, key, false)
        if (code === 10 || code === 13) {
          sinceLineEnd = 0
          continue
        }
        joined = roll(joined, code)
        sinceLineEnd += 1
        if (sinceLineEnd >= keyLength || filter[fold(joined)] === 0) continue
        const start = startOfJoined(text, i)
        if (start !== undefined) look(start, joined, true)
      }
      return { matches, open: outside(matches, open) }
    },
  }
}

function keyOf(text: string): number {
  let key = 0
  for (let i = 0; i < keyLength; i++) key = roll(key, text.charCodeAt(i))
  return key
}

/** Four steps shift a character out, so the key depends on the last four only. */
function roll(key: number, code: number): number {
  return (key << 8) ^ code
}

/** Spreads the four characters, which differ in few of their bits, over 18. */
function fold(key: number): number {
  return Math.imul(key, 0x9e3779b1) >>> 14
}

/** Where the four characters that end at `last` begin, line ends not counted. */
function startOfJoined(text: string, last: number): number | undefined {
  let at = last
  for (let left = keyLength - 1; left > 0; left--) {
    at -= 1
    while (isLineEnd(text, at)) at -= 1
  }
  return at < 0 ? undefined : at
}

/** @returns where the match ends, `'open'` when the text ends first, `'other'` when it is something else. */
function compare(text: string, start: number, { text: wanted, wraps }: Pattern): number | 'open' | 'other' {
  let at = start
  for (let i = 0; i < wanted.length; i++, at++) {
    if (wraps) while (isLineEnd(text, at)) at++
    if (at >= text.length) return 'open'
    if (text.charCodeAt(at) !== wanted.charCodeAt(i)) return 'other'
  }
  return at
}

function isLineEnd(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code === 10 || code === 13
}

/** Joins overlapping matches, so that no end of one is left over beside the other. */
function cover(matches: Match[], match: Match): void {
  let { start, end, name } = match
  for (let last = matches.at(-1); last !== undefined && last.end > start; last = matches.at(-1)) {
    matches.pop()
    if (last.start <= start) name = last.name
    start = Math.min(start, last.start)
    end = Math.max(end, last.end)
  }
  matches.push({ start, end, name })
}

function openEnd(text: string, beginnings: ReadonlySet<string>): number {
  for (let length = Math.min(keyLength - 1, text.length); length > 0; length--)
    if (beginnings.has(text.slice(-length))) return text.length - length
  return text.length
}

function outside(matches: readonly Match[], open: number): number {
  return matches.find(({ start, end }) => start < open && open < end)?.start ?? open
}
