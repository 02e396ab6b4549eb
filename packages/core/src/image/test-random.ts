/** The same numbers in [0, 1) for the same seed (mulberry32), so that a failing case can be run again. */
export function randomFrom(seed: number): Random {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  const pick = <T>(values: readonly T[]): T => {
    const value = values[below(values.length)]
    if (value === undefined) throw new Error('there is nothing to choose from')
    return value
  }
  const bytes = (length: number) => Uint8Array.from({ length }, () => below(256))
  const some = <T>(most: number, make: () => T) => Array.from({ length: below(most + 1) }, make)
  return { chance: (share) => next() < share, below, pick, bytes, some }
}

export interface Random {
  chance(share: number): boolean
  /** A whole number from 0, less than `limit`. */
  below(limit: number): number
  pick<T>(values: readonly T[]): T
  bytes(length: number): Uint8Array
  /** Up to `most` of them. */
  some<T>(most: number, make: () => T): T[]
}
