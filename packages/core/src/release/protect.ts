import type { Protection, Registry } from '../contracts/v1/registry.js'
import type { Engine } from '../journal/engine.js'
import type { ImageRecord } from '../model/release.js'

/** One repository as an engine pulls it, whatever names it is registered under. */
export interface Shelf {
  readonly address: string
  readonly registry: Registry
  readonly repository: string
}

/** What was done to keep the images of one repository from what its registry clears away by itself. */
export interface Protected {
  readonly address: string
  /** Left out where the registry does not protect, or refused to: `failed` says why. */
  readonly by?: Protection['by'] | undefined
  readonly kept: readonly string[]
  readonly notKept: Protection['notKept']
  readonly failed?: string | undefined
}

/** Rejects where the registry is not there any more. */
export async function shelfOf(
  { adapters }: Pick<Engine, 'adapters'>,
  { registry: name, repository }: Pick<ImageRecord, 'registry' | 'repository'>,
): Promise<Shelf> {
  const registry = await adapters.registries.get(name)
  return { registry, repository, address: registry.address(repository) }
}
