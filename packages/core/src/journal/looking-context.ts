import type { Context } from '../contracts/v1/context.js'
import type { Engine } from './engine.js'

/** For calls that belong to no run (probes, plans): nobody listens, and there is no lease. */
export function lookingContext({ secret, closing }: Engine): Context {
  return {
    signal: closing,
    operation: { id: 'look', fence: { scope: 'look', token: 0 } },
    secret,
    report: () => undefined,
    output: async () => undefined,
  }
}
