import { createHash } from 'node:crypto'
import { systemClock } from '../clock.js'
import type { Builder } from '../contracts/v1/builder.js'
import type { Clock } from '../contracts/v1/clock.js'
import type { Registry } from '../contracts/v1/registry.js'
import type { Runtime } from '../contracts/v1/runtime.js'
import type { Source } from '../contracts/v1/source.js'
import type { ErrorCode } from '../errors/catalogue.js'
import { type Effect, KiwiError } from '../errors/kiwi-error.js'

/**
 * What happens to a call. `fail` with effect `none`: it is not made; `done`: it is made, then the error is thrown; `unknown`: it is made or not,
 * as the seed has it. A stream fails before its first value (`none`) or after it. `hang`: nothing comes until the signal fires. `twice`: it is
 * made twice and the first answer given; a stream gives every value twice.
 */
export type Fault =
  | {
      readonly type: 'fail'
      readonly code: ErrorCode
      readonly effect: Effect
      readonly retryable?: boolean | undefined
    }
  | { readonly type: 'delay'; readonly delayMs: number }
  | { readonly type: 'hang' }
  | { readonly type: 'twice' }

/** `method` as in the contract; of what `sink` and `source` give: `sink.blob`, `source.manifest`. `nth` counts that method's calls from 1. */
export interface FaultedCall {
  readonly method: string
  readonly nth: number
}

export type FaultScript =
  | readonly (FaultedCall & { readonly fault: Fault })[]
  | ((call: FaultedCall) => Fault | undefined)

export interface FaultOptions {
  /** For `delay`. Default: the machine's. */
  readonly clock?: Clock | undefined
  /** Decides what an `unknown` effect was. Default 1. */
  readonly seed?: number | undefined
  /** Told of every fault, and whether the call was made. */
  readonly onFault?: ((call: FaultedCall & { readonly fault: Fault; readonly made: boolean }) => void) | undefined
}

type Method = (...parameters: readonly unknown[]) => unknown

const streams = new Set(['observe', 'logs', 'refs', 'tags', 'source.blob'])
const calls = new Set(
  ['probe claim act evidence adoptable adopt', 'check resolve source remove', 'fit find build', 'open changed']
    .flatMap((names) => names.split(' '))
    .concat(['sink.has', 'sink.blob', 'sink.manifest', 'source.manifest']),
)

/**
 * The same adapter, with faults where the script has them.
 * @example withFaults(runtime, [{ method: 'act', nth: 2, fault: { type: 'fail', code: 'RUNTIME_UNREACHABLE', effect: 'unknown' } }])
 */
export function withFaults<Adapter extends Builder | Registry | Runtime | Source>(
  adapter: Adapter,
  script: FaultScript,
  options: FaultOptions = {},
): Adapter {
  return faulty(adapter, '', faulter(script, options))
}

/** Every call fails, waits or is made twice with that probability; the same seed gives the nth call of a method the same fault. */
export function randomFaults(options: {
  readonly seed: number
  /** 0 to 1. */
  readonly probability: number
  readonly codes: readonly ErrorCode[]
  /** Default: `act` and all that reads. */
  readonly methods?: readonly string[] | undefined
  /** Default 1,000. */
  readonly longestDelayMs?: number | undefined
}): FaultScript {
  const { seed, probability, codes, methods, longestDelayMs = 1_000 } = options
  return ({ method, nth }) => {
    const draw = (what: string) => chance(`${seed} ${method} ${nth} ${what}`)
    if ((methods && !methods.includes(method)) || draw('whether') >= probability) return undefined
    const kind = draw('kind')
    if (kind < 0.2) return { type: 'delay', delayMs: Math.floor(draw('delay') * longestDelayMs) }
    if (kind < 0.3) return { type: 'twice' }
    const code = pick(codes, draw('code')) ?? 'INTERNAL'
    return { type: 'fail', code, effect: pick(['none', 'done', 'unknown'] as const, draw('effect')) ?? 'none' }
  }
}

function pick<T>(all: readonly T[], at: number): T | undefined {
  return all[Math.floor(at * all.length)]
}

/** A number from 0 to 1 that follows from the text. */
function chance(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32LE(0) / 2 ** 32
}

type Faulter = ReturnType<typeof faulter>

function faulter(script: FaultScript, { clock = systemClock, seed = 1, onFault }: FaultOptions) {
  const counts = new Map<string, number>()
  return {
    clock,
    next(method: string): { readonly fault: Fault | undefined; readonly made: boolean } {
      const nth = (counts.get(method) ?? 0) + 1
      counts.set(method, nth)
      const fault =
        typeof script === 'function'
          ? script({ method, nth })
          : script.find((one) => one.method === method && one.nth === nth)?.fault
      const made = isMade(fault, `${seed} ${method} ${nth} made`)
      if (fault) onFault?.({ method, nth, fault, made })
      return { fault, made }
    },
  }
}

function isMade(fault: Fault | undefined, key: string): boolean {
  if (fault?.type === 'hang') return false
  if (fault?.type !== 'fail') return true
  return fault.effect === 'done' || (fault.effect === 'unknown' && chance(key) < 0.5)
}

/** Prefix: `sink.` and `source.` of what an adapter's calls gave. */
function faulty<T extends object>(inner: T, prefix: string, faults: Faulter): T {
  return new Proxy(inner, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key)
      if (typeof member !== 'function' || typeof key !== 'string') return member
      const method = prefix + key
      const call: Method = (...parameters) => Reflect.apply(member, target, parameters)
      if (streams.has(method)) return (...parameters: unknown[]) => stream(call, parameters, method, faults)
      if (calls.has(method)) return (...parameters: unknown[]) => promised(call, parameters, method, faults)
      return method === 'sink' ? (...parameters: unknown[]) => within(call(...parameters), 'sink.', faults) : call
    },
  })
}

function within(value: unknown, prefix: string, faults: Faulter): unknown {
  return typeof value === 'object' && value !== null ? faulty(value, prefix, faults) : value
}

async function promised(call: Method, parameters: readonly unknown[], method: string, faults: Faulter) {
  const { fault, made } = faults.next(method)
  await before(fault, parameters, faults)
  const answer = made ? await call(...parameters) : undefined
  if (fault?.type === 'twice') await Promise.resolve(call(...parameters)).catch(() => undefined)
  if (fault?.type === 'fail') throw failure(fault, method)
  return method === 'source' ? within(answer, 'source.', faults) : answer
}

async function* stream(call: Method, parameters: readonly unknown[], method: string, faults: Faulter) {
  const { fault, made } = faults.next(method)
  await before(fault, parameters, faults)
  if (fault?.type === 'fail' && !made) throw failure(fault, method)
  const values = call(...parameters) as AsyncIterable<unknown> // `streams` names the methods that give one
  for await (const value of values) {
    yield value
    if (fault?.type === 'fail') throw failure(fault, method)
    if (fault?.type === 'twice') yield value
  }
}

async function before(fault: Fault | undefined, parameters: readonly unknown[], { clock }: Faulter): Promise<void> {
  const signal = signalIn(parameters)
  if (fault?.type === 'delay') await clock.sleep(fault.delayMs, signal)
  if (fault?.type === 'hang')
    await new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason)
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
}

function failure({ code, effect, retryable }: Extract<Fault, { type: 'fail' }>, method: string): KiwiError {
  return new KiwiError(code, `a fault of the script: ${method} failed`, { effect, retryable })
}

/** The last parameter is a context, options with a signal, or a signal. */
function signalIn(parameters: readonly unknown[]): AbortSignal {
  const last = parameters.at(-1)
  if (last instanceof AbortSignal) return last
  const held = typeof last === 'object' && last !== null && 'signal' in last ? last.signal : undefined
  return held instanceof AbortSignal ? held : new AbortController().signal
}
