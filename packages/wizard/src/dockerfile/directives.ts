import { DockerfileSyntaxError } from './errors.js'
import type { EscapeCharacter } from './types.js'

export interface DirectiveReader {
  /** True when the line is a directive and so no comment. Lines are given in order, from the first. */
  read(line: string, lineNumber: number): boolean
  readonly escape: EscapeCharacter
  readonly values: ReadonlyMap<string, string>
}

/** Reads `# name=value` lines until the first line that is none: a later one is an ordinary comment. */
export function directiveReader(): DirectiveReader {
  const values = new Map<string, string>()
  let done = false
  return {
    values,
    get escape() {
      return values.get('escape') === '`' ? '`' : '\\'
    },
    read(line, lineNumber) {
      const directive = done ? undefined : parseDirective(line)
      done ||= directive === undefined
      if (directive === undefined) return false
      checkDirective(directive, values, lineNumber)
      values.set(directive.name, directive.value)
      return true
    },
  }
}

interface Directive {
  readonly name: string
  readonly value: string
}

function parseDirective(line: string): Directive | undefined {
  const match = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line)
  const name = match?.[1]?.toLowerCase()
  const value = match?.[2]
  if (name === undefined || value === undefined || !['syntax', 'escape', 'check'].includes(name)) return undefined
  return { name, value }
}

function checkDirective({ name, value }: Directive, seen: ReadonlyMap<string, string>, line: number): void {
  if (seen.has(name)) {
    throw new DockerfileSyntaxError(`only one ${name} directive can be used`, {
      line,
      column: 1,
      hint: `Remove this line or the earlier # ${name}= line.`,
    })
  }
  if (name === 'escape' && value !== '\\' && value !== '`') {
    throw new DockerfileSyntaxError(`invalid escape character ${JSON.stringify(value)}`, {
      line,
      column: 1,
      hint: 'The escape directive takes \\ or `.',
    })
  }
}
