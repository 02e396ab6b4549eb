import { DockerfileSyntaxError } from './errors.js'
import type { RawInstruction } from './reader.js'

/** Throws a syntax error at the fragment's place, or at the instruction when the fragment is not found as written. */
export function fail(raw: RawInstruction, message: string, hint: string, fragment?: string): never {
  const index = fragment === undefined ? -1 : raw.source.findIndex((line) => line.includes(fragment))
  const first = raw.source[0] ?? ''
  const column =
    fragment === undefined || index === -1 ? first.search(/\S/) : (raw.source[index] ?? '').indexOf(fragment)
  throw new DockerfileSyntaxError(message, {
    line: raw.line + Math.max(index, 0),
    column: Math.max(column, 0) + 1,
    hint,
  })
}
