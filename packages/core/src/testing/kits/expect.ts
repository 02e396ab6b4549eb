import assert from 'node:assert/strict'
import type { Clock } from '../../contracts/v1/clock.js'
import type { Json } from '../../contracts/v1/json.js'
import type { ErrorCode } from '../../errors/catalogue.js'
import { type Effect, KiwiError } from '../../errors/kiwi-error.js'

/** The call rejects with a KiwiError, of one of the codes where they are given, and of that effect. */
export async function rejects(
  call: Promise<unknown>,
  what: string,
  { codes, effect }: { readonly codes?: readonly ErrorCode[]; readonly effect?: Effect } = {},
): Promise<KiwiError> {
  const outcome = await call.then(
    (value: unknown) => ({ value }),
    (error: unknown) => ({ error }),
  )
  if ('value' in outcome) assert.fail(`${what}: it was accepted`)
  const { error } = outcome
  if (!KiwiError.is(error)) assert.fail(`${what}: it was refused with ${String(error)}, which is no KiwiError`)
  if (codes)
    assert.ok(codes.includes(error.code), `${what}: ${error.code} is not ${codes.join(' or ')} (${error.message})`)
  if (effect) assert.equal(error.effect, effect, `${what}: the effect of ${error.code}`)
  return error
}

/** The call rejects because its signal has fired: with the signal's reason, an AbortError, or CANCELLED. */
export async function stops(call: Promise<unknown>, what: string): Promise<void> {
  const done = await call.then(
    () => true,
    () => false,
  )
  assert.equal(done, false, `${what}: it was done although its signal had fired`)
}

/** Resolves or rejects as the promise does; rejects when that takes longer. */
export async function within<T>(clock: Clock, milliseconds: number, what: string, promise: Promise<T>): Promise<T> {
  const over = new AbortController()
  const late = clock.sleep(milliseconds, over.signal).then(
    () => assert.fail(`not within ${milliseconds} ms: ${what}`),
    () => new Promise<never>(() => {}),
  )
  try {
    return await Promise.race([promise, late])
  } finally {
    over.abort()
  }
}

/** Can be kept in the journal as it is. */
export function isPlainJson(value: unknown, what: string): void {
  assert.deepEqual(JSON.parse(JSON.stringify(value)), withoutUndefined(value as Json), `${what} is plain JSON`)
}

function withoutUndefined(value: Json | undefined): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return Object.fromEntries(entries.map(([key, item]) => [key, withoutUndefined(item)]))
}

/** A probe says in a sentence what it found. */
export function isProbe(value: unknown, what: string): void {
  const { ok, summary, details } = value as Partial<Record<string, unknown>> // each part is checked
  assert.equal(ok, true, `${what} is well: ${JSON.stringify(value)}`)
  assert.ok(typeof summary === 'string' && summary !== '', `${what} says a sentence`)
  assert.ok(
    Object.values(details ?? {}).every((one) => typeof one === 'string'),
    `${what}: details are texts`,
  )
}
