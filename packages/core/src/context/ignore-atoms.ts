/*
 * The parts of an expression in Go's syntax (RE2) that a pattern of a .dockerignore can contain.
 */

/** What `\x` stands for: a character, a class, or a place between two characters. */
export interface Escape {
  readonly takes?: ((character: string) => boolean) | undefined
  readonly between?: ((before: string | undefined, after: string | undefined) => boolean) | undefined
}

export function readEscape(character: string): Escape {
  if (character === 'A') return { between: (before) => before === undefined }
  if (character === 'z') return { between: (_, after) => after === undefined }
  if (character === 'b') return { between: (before, after) => isWord(before) !== isWord(after) }
  if (character === 'B') return { between: (before, after) => isWord(before) === isWord(after) }
  const inside = escapeInClass(character)
  const expression = new RegExp(`^[${inside}]$`, 'u')
  return { takes: (other) => expression.test(other) }
}

/** Reads `[…]` from `start`; `end` is the first position after it. */
export function readClass(
  expression: readonly string[],
  start: number,
): { readonly takes: (character: string) => boolean; readonly end: number } {
  const negated = expression[start + 1] === '^'
  let index = start + (negated ? 2 : 1)
  const first = index
  let inside = ''
  for (; expression[index] !== ']' || index === first; index += 1) {
    const character = expression[index]
    if (character === undefined) throw new SyntaxError('a [class] that does not end')
    if (character === '[' && expression[index + 1] === ':')
      throw new SyntaxError('a named [:class:], which is not known here')
    if (character === '\\') inside += escapeInClass(expression[++index] ?? '')
    else inside += character === '-' ? '-' : quoted(character)
  }
  const takes = classOf(`${negated ? '^' : ''}${inside}`)
  return { takes: (character) => takes.test(character), end: index + 1 }
}

function classOf(inside: string): RegExp {
  try {
    return new RegExp(`^[${inside}]$`, 'u')
  } catch {
    throw new SyntaxError('a [class] that is malformed')
  }
}

const controls: Readonly<Record<string, string>> = { a: '\\x07', f: '\\f', n: '\\n', r: '\\r', t: '\\t', v: '\\v' }

function escapeInClass(character: string): string {
  if (/^[dDwW]$/.test(character)) return `\\${character}`
  if (character === 's') return '\\t\\n\\f\\r '
  if (controls[character] !== undefined) return controls[character]
  if (/^[^A-Za-z0-9]$/u.test(character) && character.charCodeAt(0) < 128) return quoted(character)
  throw new SyntaxError(`\\${character}, which means nothing (use / between directories)`)
}

function quoted(character: string): string {
  return /^[\^$\\.*+?()[\]{}|/-]$/.test(character) ? `\\${character}` : character
}

function isWord(character: string | undefined): boolean {
  return character !== undefined && /^\w$/.test(character)
}
