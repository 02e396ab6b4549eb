export interface ByteRange {
  readonly start: number
  /** Included. */
  readonly end: number
}

/**
 * Reads a `Range` header with one range (RFC 9110 §14.1.2). `undefined`: answer the whole, as for any form we do not serve. One that ends before
 * it begins may be ignored or refused; refused, nobody takes the whole for the part.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [match, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? []
  if (match === undefined || (first === '' && last === '')) return undefined
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 }
  }
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  return start >= size || end < start ? 'unsatisfiable' : { start, end }
}
