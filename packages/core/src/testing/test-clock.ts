import type { Clock } from '../contracts/v1/clock.js'

export interface TestClock extends Clock {
  /** Moves the time by hand: sleepers wake in the order of their times, each one's consequences settle before the next; then it is that much later. */
  advance(milliseconds: number): Promise<void>
  /** How many sleep. */
  readonly sleeping: number
  /** When true, the time jumps to the next sleeper as soon as the process is idle. */
  autoAdvance: boolean
}

export interface TestClockOptions {
  /** Milliseconds since 1970. Default: a Tuesday in November 2023. */
  readonly at?: number | undefined
  readonly autoAdvance?: boolean | undefined
  /** Whether these active resources (`process.getActiveResourcesInfo()`) are work to be waited for. Default: file and network requests, child processes. */
  readonly isBusy?: ((resources: readonly string[]) => boolean) | undefined
  /** How long, in real time, it is waited for what may be work or not: timers of the machine's clock, open pipes and sockets. Default 100. */
  readonly patienceMs?: number | undefined
}

interface Sleeper {
  readonly at: number
  wake(): void
}

/** So many turns of the event loop without work in sight make a process idle. */
const quietTurns = 5

/**
 * A clock that stands still until it is moved, so that a run with deadlines of ten minutes takes milliseconds and always goes the same way.
 * It knows of promises, files, child processes and new connections, and waits a little for timers, pipes and open sockets. Of a test
 * runner that is asked for a module (a lazy import) it does not know: time passes meanwhile.
 * @example const clock = testClock({ autoAdvance: true })
 */
export function testClock(options: TestClockOptions = {}): TestClock {
  const { at = 1_700_000_000_000, autoAdvance = false } = options
  const idle = idleness(options)
  let now = at
  let auto = autoAdvance
  let driving = false
  let sleepers: Sleeper[] = []
  const wakeNext = (notAfter: number): boolean => {
    const next = sleepers[0]
    if (!next || next.at > notAfter) return false
    sleepers = sleepers.slice(1)
    now = Math.max(now, next.at)
    next.wake()
    return true
  }
  const drive = async () => {
    if (driving || !auto) return
    driving = true
    do await idle()
    while (auto && wakeNext(Number.POSITIVE_INFINITY))
    driving = false
  }
  return {
    now: () => now,
    sleep(milliseconds, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      if (signal.aborted) return Promise.reject(signal.reason)
      const sleeper = { at: now + Math.max(0, milliseconds), wake: () => done(resolve) }
      const stop = () => done(() => reject(signal.reason))
      const done = (settle: () => void) => {
        signal.removeEventListener('abort', stop)
        sleepers = sleepers.filter((one) => one !== sleeper)
        settle()
      }
      signal.addEventListener('abort', stop, { once: true })
      const later = sleepers.findIndex((one) => one.at > sleeper.at)
      sleepers = sleepers.toSpliced(later < 0 ? sleepers.length : later, 0, sleeper)
      void drive()
      return promise
    },
    async advance(milliseconds) {
      const end = now + milliseconds
      do await idle()
      while (wakeNext(end))
      now = Math.max(now, end)
    },
    get sleeping() {
      return sleepers.length
    },
    get autoAdvance() {
      return auto
    },
    set autoAdvance(wanted) {
      auto = wanted
      void drive()
    },
  }
}

/** Resolves when there is nothing to do in this process but to sleep. */
function idleness({ isBusy = worksOn, patienceMs = 100 }: TestClockOptions): () => Promise<void> {
  let lasting = perhaps(process.getActiveResourcesInfo()) // was there before, or was waited for in vain
  return async () => {
    const start = performance.now()
    for (let quiet = 0; quiet < quietTurns; ) {
      const resources = process.getActiveResourcesInfo()
      const open = perhaps(resources)
      lasting = performance.now() - start > patienceMs ? open : Math.min(lasting, open)
      quiet = open > lasting || isBusy(resources) ? 0 : quiet + 1
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

function perhaps(resources: readonly string[]): number {
  return resources.filter((name) => /^(?:Timeout|PipeWrap|TCPSocketWrap)$/.test(name)).length
}

function worksOn(resources: readonly string[]): boolean {
  return resources.some((name) => /Req|ConnectWrap|WriteWrap|ProcessWrap/.test(name))
}
