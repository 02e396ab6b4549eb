import { once } from 'node:events'

/** Names states one after another, and lets readers wait for the next. */
export interface Changes {
  readonly newest: string
  bump(): void
  /** Resolves when the newest change is another than `after`, or the signal fires. */
  wait(after: string | undefined, signal: AbortSignal): Promise<void>
}

/** `prefix` tells the states of one supervisor from those of the next. */
export function trackChanges(prefix: string): Changes {
  const target = new EventTarget()
  let count = 0
  const name = () => `${prefix}.${count}`
  return {
    get newest() {
      return name()
    },
    bump() {
      count += 1
      target.dispatchEvent(new Event('change'))
    },
    async wait(after, signal) {
      while (after === name() && !signal.aborted) await once(target, 'change', { signal }).catch(() => {})
    },
  }
}
