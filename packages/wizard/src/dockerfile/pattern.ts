/** Removes the shortest (or, when greedy, the longest) prefix that the shell pattern matches. */
export function removePrefix(value: string, pattern: string, greedy: boolean): string {
  const characters = [...value]
  const length = matchLength(readTokens(pattern), characters, greedy)
  return length === undefined ? value : characters.slice(length).join('')
}

/** Removes the shortest (or, when greedy, the longest) suffix that the shell pattern matches. */
export function removeSuffix(value: string, pattern: string, greedy: boolean): string {
  const backwards = [...value].reverse()
  const length = matchLength(readTokens(pattern).reverse(), backwards, greedy)
  return length === undefined ? value : backwards.slice(length).reverse().join('')
}

/** Replaces the first or every longest match of the shell pattern. */
export function replacePattern(value: string, pattern: string, replacement: string, all: boolean): string {
  const tokens = readTokens(pattern)
  const characters = [...value]
  let replaced = ''
  let end: number | undefined
  for (let at = 0; at <= characters.length; ) {
    const found = matchLength(tokens, characters, true, at)
    // Nothing is no match of its own right after a match, as in Go.
    const length = found === 0 && at === end ? undefined : found
    if (length !== undefined) replaced += replacement
    if (length !== undefined && !all) return replaced + characters.slice(at + length).join('')
    if (length) {
      at += length
      end = at
    } else {
      replaced += characters[at] ?? ''
      at += 1
    }
  }
  return replaced
}

type Token = { readonly wildcard: '*' | '?' } | { readonly character: string }

/** `*` and `?` are the wildcards; `\` makes them, itself, `/` and `}` literal. */
function readTokens(pattern: string): Token[] {
  const characters = [...pattern]
  const tokens: Token[] = []
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? ''
    if (character === '*' || character === '?') {
      tokens.push({ wildcard: character })
      continue
    }
    if (character === '\\') at += 1
    const plain = characters[at] ?? ''
    if (character === '\\' && !/^[*?\\/}]$/.test(plain)) throw new SyntaxError(`invalid escape \\${plain} in a pattern`)
    tokens.push({ character: plain })
  }
  return tokens
}

/**
 * How many characters from `start` on the tokens match, undefined for none. All ways are followed side by side, as no pattern of a
 * stranger's Dockerfile may take long.
 */
function matchLength(
  tokens: readonly Token[],
  characters: readonly string[],
  greedy: boolean,
  start = 0,
): number | undefined {
  let places = pastStars(tokens, [0])
  let found: number | undefined
  for (let length = 0; places.size > 0; length++) {
    if (places.has(tokens.length)) found = length
    if (found !== undefined && !greedy) return found
    const character = characters[start + length]
    if (character === undefined) break
    places = pastStars(
      tokens,
      [...places].flatMap((place) => afterCharacter(tokens, place, character)),
    )
  }
  return found
}

function afterCharacter(tokens: readonly Token[], place: number, character: string): number[] {
  const token = tokens[place]
  if (token === undefined) return []
  if ('character' in token) return token.character === character ? [place + 1] : []
  return token.wildcard === '*' ? [place] : [place + 1]
}

/** A star may also stand for nothing. */
function pastStars(tokens: readonly Token[], places: readonly number[]): Set<number> {
  const all = new Set<number>()
  for (const place of places) {
    for (let at = place; ; at++) {
      all.add(at)
      const token = tokens[at]
      if (token === undefined || !('wildcard' in token) || token.wildcard !== '*') break
    }
  }
  return all
}
