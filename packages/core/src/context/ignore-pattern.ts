import { readClass, readEscape } from './ignore-atoms.js'

/** Whether a path (relative to the context, no slashes at the ends) is what one pattern means; parents are the caller's business. */
export type PathMatcher = (path: string) => boolean

const longestPattern = 4096

/**
 * Compiles one cleaned pattern the way moby/patternmatcher does: `**` any number of directories, `*` and `?` within a name,
 * `[a-z]` a class, everything else itself. Takes time in proportion to pattern × path, whatever the pattern: no regular expression
 * of the repository's making is ever run. Throws a `SyntaxError` with the reason where the pattern means nothing.
 */
export function compilePattern(pattern: string): PathMatcher {
  if (pattern.length > longestPattern) throw new SyntaxError('it is longer than any path')
  checkSyntax(pattern)
  const { kind, expression } = translate(pattern)
  if (kind === 'exact') return (path) => path === pattern
  if (kind === 'prefix') return (path) => path.startsWith(pattern.slice(0, -2))
  if (kind === 'suffix') {
    const suffix = pattern.slice(2)
    return (path) => path.endsWith(suffix) || (suffix.startsWith('/') && path === suffix.slice(1))
  }
  return matcherOf(parse(expression))
}

/** Go's `filepath.Match` refuses these, and Docker with it. */
function checkSyntax(pattern: string): void {
  const characters = Array.from(pattern)
  let index = 0
  const single = () => {
    if (characters[index] === '\\') index += 1
    if (index >= characters.length) throw new SyntaxError('it ends too early')
    index += 1
  }
  const inClass = () => {
    if (characters[index] === '-' || characters[index] === ']') throw new SyntaxError('a [class] that is malformed')
    single()
    if (index >= characters.length) throw new SyntaxError('a [class] that does not end')
  }
  while (index < characters.length) {
    if (characters[index] !== '[') {
      single()
      continue
    }
    index += characters[index + 1] === '^' ? 2 : 1
    for (let ranges = 0; ranges === 0 || characters[index] !== ']'; ranges += 1) {
      inClass()
      if (characters[index] !== '-') continue
      index += 1
      inClass()
    }
    index += 1
  }
}

type Kind = 'exact' | 'prefix' | 'suffix' | 'expression'

/**
 * The expression that moby makes of the pattern, and whether it bothers to use it. Its oddities are kept, since people's files rely on what
 * Docker does; all but one: moby means to take `|`, `{` and `}` as themselves beside a wildcard, and by a slip does not.
 */
function translate(pattern: string): { readonly kind: Kind; readonly expression: readonly string[] } {
  const characters = Array.from(pattern)
  const expression: string[] = []
  let kind: Kind = 'exact'
  for (let index = 0, turn = 0; index < characters.length; index += 1, turn += 1) {
    const character = characters[index] ?? ''
    if (character === '*' && characters[index + 1] === '*') {
      index += characters[index + 2] === '/' ? 2 : 1
      const last = index + 1 >= characters.length
      if (last && kind === 'exact') kind = 'prefix'
      else {
        expression.push(...(last ? ['.', '*'] : ['(', '.', '*', '/', ')', '?']))
        kind = 'expression'
      }
      if (turn === 0) kind = 'suffix'
    } else if (character === '*' || character === '?') {
      expression.push('[', '^', '/', ']', ...(character === '*' ? ['*'] : []))
      kind = 'expression'
    } else if ('.+()|{}$'.includes(character)) expression.push('\\', character)
    else {
      expression.push(character)
      if (character === '\\') expression.push(characters[++index] ?? '')
      if ('\\[]'.includes(character)) kind = 'expression'
    }
  }
  return { kind, expression }
}

/** One position of the automaton: it takes a character and goes on (or stays), or lets through without taking one. */
interface Position {
  readonly takes?: ((character: string) => boolean) | undefined
  readonly stays?: boolean | undefined
  /** How many positions further it is also, before anything was taken. */
  readonly skips?: readonly number[] | undefined
  /** Lets through only between these two (`undefined` at an end of the path). */
  readonly between?: ((before: string | undefined, after: string | undefined) => boolean) | undefined
}

/** Reads the few forms that `translate` can have written. */
function parse(expression: readonly string[]): readonly Position[] {
  const positions: Position[] = []
  const notNewline = (character: string) => character !== '\n'
  for (let index = 0; index < expression.length; ) {
    const character = expression[index] ?? ''
    if (character === '(') {
      positions.push(
        { skips: [1, 3] },
        { takes: notNewline, stays: true, skips: [1] },
        { takes: (other) => other === '/' },
      )
      index += 6
      continue
    }
    let position: Position
    if (character === '[') {
      const { takes, end } = readClass(expression, index)
      position = { takes }
      index = end
    } else if (character === '\\') {
      position = readEscape(expression[index + 1] ?? '')
      index += 2
    } else {
      position = character === '^' ? { between: (before) => before === undefined } : { takes: literal(character) }
      if (character === '.') position = { takes: notNewline }
      index += 1
    }
    if (expression[index] === '*') {
      position = { ...position, stays: true, skips: [1] }
      index += 1
    }
    positions.push(position)
  }
  return positions
}

function literal(character: string): (other: string) => boolean {
  return (other) => other === character
}

/** Walks all positions that are possible at once, so that no pattern makes it try again from the start. */
function matcherOf(positions: readonly Position[]): PathMatcher {
  const enter = (reached: Uint8Array, index: number, before: string | undefined, after: string | undefined): void => {
    if (reached[index]) return
    reached[index] = 1
    const position = positions[index]
    for (const skip of position?.skips ?? []) enter(reached, index + skip, before, after)
    if (position?.between?.(before, after)) enter(reached, index + 1, before, after)
  }
  return (path) => {
    const characters = Array.from(path)
    let reached = new Uint8Array(positions.length + 1)
    enter(reached, 0, undefined, characters[0])
    for (const [at, character] of characters.entries()) {
      const next = new Uint8Array(positions.length + 1)
      for (const [index, position] of positions.entries()) {
        if (!reached[index] || !position.takes?.(character)) continue
        enter(next, position.stays ? index : index + 1, character, characters[at + 1])
      }
      if (!next.includes(1)) return false
      reached = next
    }
    return reached[positions.length] === 1
  }
}
