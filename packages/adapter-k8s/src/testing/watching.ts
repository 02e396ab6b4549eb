import { setTimeout as sleep } from 'node:timers/promises'
import type { Context, Runtime, Snapshot, Target } from '@kiwi/core'

/** A running observation. */
export interface Watching extends AsyncDisposable {
  /** Every snapshot so far. */
  readonly all: readonly Snapshot[]
  /** Resolves with the newest snapshot as soon as it is as asked. */
  until(what: string, is: (snapshot: Snapshot) => boolean, withinMs?: number): Promise<Snapshot>
}

export function watching(runtime: Runtime, target: Target, context: Context): Watching {
  const all: Snapshot[] = []
  const closed = new AbortController()
  const signal = AbortSignal.any([context.signal, closed.signal])
  let failure: unknown
  const reading = (async () => {
    for await (const snapshot of runtime.observe(target, { ...context, signal })) all.push(snapshot)
  })().catch((error: unknown) => {
    failure = error
  })
  return {
    all,
    async until(what, is, withinMs = 30_000) {
      const end = Date.now() + withinMs
      for (;;) {
        const newest = all.at(-1)
        if (newest && is(newest)) return newest
        if (failure !== undefined) throw failure
        if (Date.now() > end)
          throw new Error(`not within ${withinMs} ms: ${what}; seen: ${JSON.stringify(newest, undefined, 1)}`)
        await sleep(5)
      }
    },
    async [Symbol.asyncDispose]() {
      closed.abort()
      await reading
    },
  }
}
