import { isDeepStrictEqual } from 'node:util'
import type { InstanceSpec } from '../contracts/v1/actions.js'
import type { Json } from '../contracts/v1/json.js'
import type { DocumentWrite, Store } from '../contracts/v1/store.js'
import { type ErrorRecord, KiwiError } from '../errors/kiwi-error.js'
import type { Release } from '../model/release.js'
import { history, isGood, releaseById } from './history.js'

/** A digest that failed in an environment; it is not deployed there again unasked. */
export interface Quarantined {
  readonly service: string
  readonly environment: string
  readonly digest: string
  readonly releaseId: string
  readonly runId: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly code: string
  readonly message: string
}

interface Place {
  readonly service: string
  readonly environment: string
}

/** A digest that ran well there since is clear. */
export async function quarantined(store: Store, { service, environment }: Place): Promise<Quarantined[]> {
  const documents = await store.documents.list('quarantine', `${service}/${environment}/`)
  const failed = documents.map(({ value }) => value as unknown as Quarantined) // written below, and only there
  const good = failed.length === 0 ? [] : (await history(store, service, environment)).filter(isGood)
  return failed.filter(({ digest, at }) => !good.some((release) => release.image?.digest === digest && release.at > at))
}

/** Rejects with `QUARANTINED`, saying when and why. With other settings than those that it failed with, a digest may be tried again. */
export async function refuseQuarantined(
  store: Store,
  { digest, spec, ...place }: Place & { readonly digest: string; readonly spec: InstanceSpec },
): Promise<void> {
  const found = (await quarantined(store, place)).find((one) => one.digest === digest)
  if (!found || !isDeepStrictEqual((await releaseById(store, found.releaseId)).spec, JSON.parse(JSON.stringify(spec))))
    return
  throw new KiwiError('QUARANTINED', `${digest} failed here as ${found.releaseId}: ${found.message}`, {
    evidence: { digest, releaseId: found.releaseId, code: found.code, at: found.at },
  })
}

/** Answers whether it was there. */
export function clearQuarantine(
  store: Store,
  { service, environment, digest }: Place & { readonly digest: string },
): Promise<boolean> {
  return store.documents.remove('quarantine', keyOf({ service, environment, digest }))
}

/** What blames the image, or what was said about it; not a cancelled run, not an unreachable runtime. */
const blaming: ReadonlySet<string> = new Set(['INSTANCE_CRASHED', 'ROLLOUT_DEADLINE', 'TASK_FAILED', 'VERIFY_FAILED'])

/** The row for a release that failed, where its image is to blame: not for one that runs well in fewer instances. */
export function quarantineOf(release: Release, error: ErrorRecord): DocumentWrite | undefined {
  const { service, environment, kind, image, id: releaseId, runId, at } = release
  if (!image || kind === 'scale' || !blaming.has(error.code)) return undefined
  const { digest } = image
  const { code, message } = error
  const value = { service, environment, digest, releaseId, runId, at, code, message } satisfies Quarantined
  return { kind: 'quarantine', key: keyOf(value), value: value satisfies Json }
}

function keyOf({ service, environment, digest }: Place & { readonly digest: string }): string {
  return `${service}/${environment}/${digest}`
}
