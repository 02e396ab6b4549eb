import { hash } from 'node:crypto'

/** A hash of the parts that no other list of parts has: each is framed by its length. */
export function keyOf(...parts: readonly string[]): string {
  return hash('sha256', parts.map((part) => `${Buffer.byteLength(part)}:${part}`).join(''), 'hex')
}
