import type { Clock } from '../contracts/v1/clock.js'
import type { Context } from '../contracts/v1/context.js'
import type { Snapshot } from '../contracts/v1/snapshot.js'
import type { Store } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Release } from '../model/release.js'
import { targetOf } from '../model/render.js'
import type { ServiceDefinition } from '../model/service.js'
import type { Adapters } from '../registers/adapters.js'
import { named } from '../registers/named.js'
import { isReady, slotOf } from '../rollout/read.js'
import { look } from './look.js'
import { usualTimeOf } from './stage-times.js'

/** How a release could be brought back, and how soon (DESIGN §9). */
export interface Readiness {
  /**
   * `instant`: its slot is ready now; `warm`: its slot is kept without instances, the image is where it ran; `cold`: the image is in the registry
   * and can be deployed again; `impossible`: why is in `because`.
   */
  readonly class: 'instant' | 'warm' | 'cold' | 'impossible'
  readonly because: string
  /**
   * Only when impossible. `image-gone`: the registry is certain that it has it no more; `registry-unreachable`: it could not be asked, or did not
   * answer; `secret-missing`: its configuration needs one that cannot be resolved; `never-deployed`: it has no image.
   */
  readonly cause?: ImpossibleCause | undefined
  /** Left out when impossible. */
  readonly etaMs?: number | undefined
}

export type ImpossibleCause = 'image-gone' | 'registry-unreachable' | 'secret-missing' | 'never-deployed'

export interface Reading {
  readonly adapters: Pick<Adapters, 'registries' | 'runtimes'>
  readonly store: Store
  readonly clock: Clock
}

export interface Candidate {
  readonly definition: ServiceDefinition
  readonly release: Release
  /** Seen a moment ago; left out: looked at now. */
  readonly snapshot?: Snapshot | undefined
}

/** Looks at the slot, and asks the registry where the slot does not tell. Reads only. Rejects where the runtime cannot be asked. */
export async function readinessOf(
  { adapters, store, clock }: Reading,
  { definition, release, snapshot: seen }: Candidate,
  context: Context,
): Promise<Readiness> {
  const { image, spec, slot: id, environment: name } = release
  if (!image || !spec) return impossible('never-deployed', 'it never got as far as an image')
  const missing = await missingSecret(spec.env, context)
  if (missing !== undefined) return impossible('secret-missing', missing)
  const environment = named(definition.environments, name, 'environment')
  const usualMs = await usualTimeOf(store, definition.name, 'rollback', 'deploy')
  const runtime = await adapters.runtimes.get(environment.runtime)
  const snapshot = seen ?? (await look(runtime, targetOf(definition.name, name, environment), { clock, context }))
  const slot = slotOf(snapshot, id ?? '')
  const etaMs = usualMs
  if (slot && slot.digest === image.digest && isReady(slot, slot.replicas))
    return { class: 'instant', because: `its slot ${slot.id} is ready`, etaMs: Math.min(etaMs, 5_000) }
  const kept = slot?.digest === image.digest
  if (kept)
    return {
      class: 'warm',
      because: `its slot ${slot.id} is kept, without ready instances`,
      etaMs: Math.min(etaMs, 30_000),
    }
  return cold(adapters, image, context, etaMs)
}

async function cold(
  { registries }: Reading['adapters'],
  { registry: name, repository, digest }: NonNullable<Release['image']>,
  context: Context,
  etaMs: number,
): Promise<Readiness> {
  try {
    const registry = await registries.get(name)
    const found = await registry.resolve({ repository, reference: digest }, context)
    if (found) return { class: 'cold', because: `the registry ${name} has its image`, etaMs }
    return impossible('image-gone', `the registry ${name} has no ${repository}@${digest} any more`)
  } catch (error) {
    context.signal.throwIfAborted()
    return impossible(
      'registry-unreachable',
      `the registry ${name} cannot be asked for its image: ${KiwiError.from(error).message}`,
    )
  }
}

async function missingSecret(env: NonNullable<Release['spec']>['env'], context: Context): Promise<string | undefined> {
  for (const value of Object.values(env)) {
    if (typeof value === 'string') continue
    try {
      await context.secret(value, async () => undefined)
    } catch (error) {
      return KiwiError.from(error).message
    }
  }
  return undefined
}

function impossible(cause: ImpossibleCause, because: string): Readiness {
  return { class: 'impossible', because, cause }
}
