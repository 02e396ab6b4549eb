import { isDeepStrictEqual } from 'node:util'
import type { Context } from '../contracts/v1/context.js'
import type { Json } from '../contracts/v1/json.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Engine } from '../journal/engine.js'
import { withinTime } from './deadline.js'
import { heldOn, namesOf } from './holds.js'
import type { Protected, Shelf } from './protect.js'
import { partsOf } from './shelf-tags.js'

interface Guard extends Pick<Engine, 'adapters' | 'store' | 'clock'> {
  /** What is kept of a registry's words knows no secret. */
  redacted<T>(value: T): T
}

/** An image that a release needs and that its registry was not told to keep, or did not. */
export interface Unprotected {
  readonly address: string
  /** Left out where the registry could not be asked at all. */
  readonly digest?: string | undefined
  readonly because: string
}

/** What the registry was last asked to keep in one repository, and how that went. */
interface Asked {
  readonly repository: string
  /** The digests, with the parts of those that are indexes: what a digest names never changes. */
  readonly parts: Readonly<Record<string, readonly string[]>>
  readonly unprotected: readonly Unprotected[]
}

/** Longer than this no release waits for its registry: the next one or a prune asks again. */
const withinMs = 20_000

/** So often at most it is asked again because other releases were recorded meanwhile. Each of those asks as well. */
const most = 5

/**
 * Has the registry keep what is held there, in one call; again where that changed meanwhile, so that of several processes the one whose call
 * ended last has named everything. Nothing is asked where nothing changed since, unless `always`. `undefined`: nothing was asked.
 */
export async function guard(
  engine: Guard,
  shelf: Shelf,
  { always }: { readonly always: boolean },
  context: Context,
): Promise<Protected | undefined> {
  if (!shelf.registry.protect) return undefined
  const before = await askedOf(engine, shelf)
  let held = await heldOn(engine, shelf)
  if (!always && before && before.unprotected.length === 0 && isFor(before, held)) return undefined
  let parts = before?.parts ?? {}
  const until = engine.clock.now() + withinMs
  for (let attempt = 1; ; attempt += 1) {
    const { answer, found } = await ask(engine, shelf, { held, parts, until }, context)
    parts = found
    const asked = { repository: shelf.repository, parts, unprotected: unprotectedIn(answer) }
    await engine.store.documents.put({
      kind: 'protected',
      key: shelf.address,
      value: engine.redacted(asked) as unknown as Json,
    })
    const now = await heldOn(engine, shelf)
    if (isDeepStrictEqual(now, held) || attempt === most || engine.clock.now() >= until) return answer
    held = now
  }
}

/** What was not kept when it was last asked for, in all repositories that are registered still. */
export async function unprotected(engine: Pick<Engine, 'adapters' | 'store'>): Promise<Unprotected[]> {
  const found: Unprotected[] = []
  for (const { key: address, value } of await engine.store.documents.list('protected', '')) {
    const asked = toAsked(value)
    if (asked.unprotected.length === 0) continue
    const names = await namesOf(engine, { address, repository: asked.repository })
    if (names.length > 0) found.push(...asked.unprotected)
  }
  return found
}

/** One of these for each thing that is not kept. */
export function unprotectedIn({ address, notKept, failed }: Protected): Unprotected[] {
  return [
    ...(failed === undefined ? [] : [{ address, because: failed }]),
    ...notKept.map((one) => ({ address, ...one })),
  ]
}

interface Wanted {
  readonly held: ReadonlySet<string>
  readonly parts: Asked['parts']
  /** Milliseconds since 1970. */
  readonly until: number
}

/** Never rejects for what the registry does. */
async function ask(engine: Guard, shelf: Shelf, { held, parts, until }: Wanted, context: Context) {
  const { address, repository, registry } = shelf
  let found: Asked['parts'] = Object.fromEntries([...held].flatMap((digest) => entry(parts, digest)))
  const late = new KiwiError('REGISTRY_UNREACHABLE', `${address} was not protected within ${withinMs / 1_000} s`)
  try {
    const answer = await withinTime(
      { clock: engine.clock, signal: context.signal },
      { timeoutMs: until - engine.clock.now(), late },
      async (signal) => {
        const inTime = { ...context, signal }
        for (const digest of held)
          found = { ...found, [digest]: found[digest] ?? [...(await partsOf(shelf, [digest], inTime)).keys()] }
        return await registry.protect?.(repository, [...new Set(Object.entries(found).flat(2))], inTime)
      },
    )
    const { by, kept, notKept } = answer ?? { by: undefined, kept: [], notKept: [] }
    for (const { digest } of notKept) found = without(found, digest) // it may be an index that is pushed later
    return { found, answer: { address, by, kept, notKept } }
  } catch (error) {
    context.signal.throwIfAborted()
    const failed = KiwiError.from(error).message
    return { found, answer: { address, kept: [], notKept: [], failed } }
  }
}

function entry(parts: Asked['parts'], digest: string): [string, readonly string[]][] {
  const known = parts[digest]
  return known ? [[digest, known]] : []
}

function without(parts: Asked['parts'], digest: string): Asked['parts'] {
  return Object.fromEntries(Object.entries(parts).filter(([one]) => one !== digest))
}

function isFor({ parts }: Asked, held: ReadonlySet<string>): boolean {
  return isDeepStrictEqual(new Set(Object.keys(parts)), held)
}

async function askedOf({ store }: Pick<Engine, 'store'>, { address }: Shelf): Promise<Asked | undefined> {
  const value = await store.documents.get('protected', address)
  return value === undefined ? undefined : toAsked(value)
}

/** Written by `guard`, and only there. */
function toAsked(value: Json): Asked {
  return value as unknown as Asked
}
