/** The only one who knows the time. Tests move it by hand. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Resolves after `milliseconds`, or rejects with the signal's reason when it fires first. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>
}
