/** Removes the shortest (or, when greedy, the longest) prefix that the shell pattern matches. */
export function removePrefix(value: string, pattern: string, greedy: boolean): string {
  const whole = wholeMatch(pattern)
  for (const length of lengths(value.length, greedy)) {
    if (whole.test(value.slice(0, length))) return value.slice(length)
  }
  return value
}

/** Removes the shortest (or, when greedy, the longest) suffix that the shell pattern matches. */
export function removeSuffix(value: string, pattern: string, greedy: boolean): string {
  const whole = wholeMatch(pattern)
  for (const length of lengths(value.length, greedy)) {
    const start = value.length - length
    if (whole.test(value.slice(start))) return value.slice(0, start)
  }
  return value
}

/** Replaces the first or every longest match of the shell pattern. */
export function replacePattern(value: string, pattern: string, replacement: string, all: boolean): string {
  return value.replace(new RegExp(toRegularExpression(pattern), all ? 'gu' : 'u'), () => replacement)
}

function wholeMatch(pattern: string): RegExp {
  return new RegExp(`^(?:${toRegularExpression(pattern)})$`, 'u')
}

function lengths(longest: number, greedy: boolean): number[] {
  const ascending = Array.from({ length: longest + 1 }, (_, length) => length)
  return greedy ? ascending.reverse() : ascending
}

/** `*` and `?` are the wildcards; `\` makes them, itself, `/` and `}` literal. */
function toRegularExpression(pattern: string): string {
  return pattern.replace(/\\(.?)|[*?]|[[\]{}.+()|^$]/gsu, (match: string, escaped: string | undefined) => {
    if (match === '*') return '.*'
    if (match === '?') return '.'
    if (!match.startsWith('\\')) return `\\${match}`
    if (escaped === '/' || escaped === '}') return escaped === '}' ? '\\}' : '/'
    if (escaped === '*' || escaped === '?' || escaped === '\\') return match
    throw new SyntaxError(`invalid escape ${match} in a pattern`)
  })
}
