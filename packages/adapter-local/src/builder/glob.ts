/** Whether a path of the Dockerfile is a pattern (Go's `filepath.Match`). */
export function isPattern(path: string): boolean {
  return /[*?[\\]/.test(path)
}

/** Says which names a pattern means. */
export interface PartPattern {
  test(name: string): boolean
}

/**
 * One path part as Go's `filepath.Match` reads it: `*` `?` `[a-z]` `[^a]` and `\` before any character. Throws a `SyntaxError` for a
 * malformed one. Matching goes back to the last `*` only, so that no pattern takes long, whatever the name.
 */
export function partPattern(pattern: string): PartPattern {
  const tokens = readTokens([...pattern], pattern)
  return { test: (name) => matches(tokens, [...name]) }
}

type Token = '*' | ((character: string) => boolean)

function readTokens(characters: readonly string[], pattern: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]
    if (character === '*') tokens.push('*')
    else if (character === '?') tokens.push(() => true)
    else if (character === '[') {
      const { token, end } = readClass(characters, at + 1, pattern)
      tokens.push(token)
      at = end
    } else {
      if (character === '\\') at += 1
      const plain = characters[at]
      if (plain === undefined) throw new SyntaxError(`${pattern} ends in an escape`)
      tokens.push((other) => other === plain)
    }
  }
  return tokens
}

/** At least one character or range; `-` and `]` are themselves only after an escape. */
function readClass(characters: readonly string[], start: number, pattern: string): { token: Token; end: number } {
  const negated = characters[start] === '^'
  const ranges: [low: string, high: string][] = []
  let at = negated ? start + 1 : start
  const next = (): string => {
    const character = characters[at]
    if (character === undefined || character === '-' || character === ']') throw malformed(pattern)
    at += character === '\\' ? 2 : 1
    const read = character === '\\' ? characters[at - 1] : character
    if (read === undefined) throw malformed(pattern)
    return read
  }
  while (ranges.length === 0 || characters[at] !== ']') {
    const low = next()
    if (characters[at] !== '-') ranges.push([low, low])
    else {
      at += 1
      ranges.push([low, next()])
    }
  }
  const isIn = (character: string) =>
    ranges.some(([low, high]) => codeOf(low) <= codeOf(character) && codeOf(character) <= codeOf(high))
  return { token: (character) => isIn(character) !== negated, end: at }
}

function matches(tokens: readonly Token[], name: readonly string[]): boolean {
  let at = 0
  let token = 0
  let afterStar: { token: number; at: number } | undefined
  while (at < name.length) {
    const current = tokens[token]
    if (current === '*') {
      token += 1
      afterStar = { token, at }
    } else if (current?.(name[at] ?? '')) {
      token += 1
      at += 1
    } else if (afterStar === undefined) return false
    else {
      afterStar.at += 1
      at = afterStar.at
      token = afterStar.token
    }
  }
  return tokens.slice(token).every((rest) => rest === '*')
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0
}

function malformed(pattern: string): SyntaxError {
  return new SyntaxError(`${pattern} has a class that is none: write [abc], [a-z] or [^a]`)
}
