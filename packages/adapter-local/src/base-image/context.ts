import { type Context, KiwiError } from '@kiwi/core'

/** For work outside of a run: nobody listens, and nothing is fenced. */
export function quietContext(signal: AbortSignal): Context {
  return {
    signal,
    operation: { id: 'base-image', fence: { scope: 'base-image', token: 0 } },
    secret: ({ secret }) =>
      Promise.reject(new KiwiError('SECRET_MISSING', `${secret} cannot be used outside of a run`)),
    report: () => undefined,
    output: async () => undefined,
  }
}
