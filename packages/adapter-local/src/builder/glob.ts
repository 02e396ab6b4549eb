/** Whether a path of the Dockerfile is a pattern (Go's `filepath.Match`). */
export function isPattern(path: string): boolean {
  return /[*?[\\]/.test(path)
}

/** One path part as a regular expression: `*` `?` `[a-z]` `[^a]` and `\` before any character. Throws a `SyntaxError` for a malformed one. */
export function partPattern(pattern: string): RegExp {
  let source = ''
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern.charAt(at)
    if (character === '*') source += '[^/]*'
    else if (character === '?') source += '[^/]'
    else if (character === '[') {
      const end = classEnd(pattern, at)
      source += classSource(pattern.slice(at + 1, end))
      at = end
    } else if (character === '\\') {
      at += 1
      if (at >= pattern.length) throw new SyntaxError(`${pattern} ends in an escape`)
      source += escaped(pattern.charAt(at))
    } else source += escaped(character)
  }
  return new RegExp(`^${source}$`, 'su')
}

function classEnd(pattern: string, start: number): number {
  for (let at = start + 1; at < pattern.length; at++) {
    if (pattern.charAt(at) === '\\') at += 1
    else if (pattern.charAt(at) === ']' && at > start + 1) return at
  }
  throw new SyntaxError(`${pattern} has a [ without its ]`)
}

function classSource(content: string): string {
  const negated = content.startsWith('^')
  const body = (negated ? content.slice(1) : content).replace(/\\(.)|[[\]^]/gsu, (match, after: string | undefined) =>
    after === undefined ? `\\${match}` : escaped(after) === after && after !== '-' ? after : `\\${after}`,
  )
  return negated ? `[^/${body}]` : `[${body}]`
}

function escaped(character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character
}
