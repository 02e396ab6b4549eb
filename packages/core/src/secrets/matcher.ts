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
  const filter = new Uint8Array(1 << 16)
  /** The first one, two and three characters of each pattern: what the end of a chunk may hold of it. */
  const beginnings = new Set<string>()
  return {
    add(form, name) {
      const key = keyOf(form.text)
      patterns.set(key, [...(patterns.get(key) ?? []), { ...form, name }])
      filter[fold(key)] = 1
      for (let length = 1; length < keyLength; length++) beginnings.add(form.text.slice(0, length))
    },
    find(text) {
      const matches: Match[] = []
      let open = openEnd(text, beginnings)
      let key = 0
      for (let i = 0; i < text.length; i++) {
        key = roll(key, text.charCodeAt(i))
        if (filter[fold(key)] === 0 || i < keyLength - 1) continue
        const start = i - keyLength + 1
        for (const pattern of patterns.get(key) ?? []) {
          const end = compare(text, start, pattern)
          if (end === 'open') open = Math.min(open, start)
          else if (end !== 'other') cover(matches, { start, end, name: pattern.name })
        }
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

function fold(key: number): number {
  return (key ^ (key >>> 16)) & 0xffff
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

/** Joins overlapping matches, so that no end of one is left over beside the other. Starts come in rising order. */
function cover(matches: Match[], match: Match): void {
  const last = matches.at(-1)
  if (last === undefined || match.start >= last.end) matches.push(match)
  else if (match.end > last.end) matches[matches.length - 1] = { ...last, end: match.end }
}

function openEnd(text: string, beginnings: ReadonlySet<string>): number {
  for (let length = Math.min(keyLength - 1, text.length); length > 0; length--)
    if (beginnings.has(text.slice(-length))) return text.length - length
  return text.length
}

function outside(matches: readonly Match[], open: number): number {
  return matches.find(({ start, end }) => start < open && open < end)?.start ?? open
}
