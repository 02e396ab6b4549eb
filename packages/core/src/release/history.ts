import { isDeepStrictEqual } from 'node:util'
import type { Store } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Release } from '../model/release.js'

/** All releases of a service's environment, oldest first. */
export async function history(store: Store, service: string, environment: string): Promise<Release[]> {
  const documents = await store.documents.list('release', `${service}/${environment}/`)
  const releases = documents.map(({ value }) => value as unknown as Release) // written by pipeline/record.ts, and only there
  return releases.toSorted((one, other) => one.number - other.number)
}

/** One row. Rejects with `INTERNAL` when there is none: ids come from what was recorded. */
export async function releaseById(store: Store, id: string): Promise<Release> {
  const value = await store.documents.get('release', id)
  if (value === undefined) throw new KiwiError('INTERNAL', `there is no release ${id}`)
  return value as unknown as Release // written by pipeline/record.ts, and only there
}

/** What runs now, as far as the history knows; nothing after an undeploy. */
export function current(releases: readonly Release[]): Release | undefined {
  const last = releases.findLast(({ status }) => status === 'succeeded')
  return last?.kind === 'undeploy' ? undefined : last
}

/**
 * What ran before that: the newest good release of another image or spec, that is, not the current one brought back, restarted or scaled.
 * `skip` leaves out what must not be chosen unasked.
 */
export function previousGood(
  releases: readonly Release[],
  skip: (release: Release) => boolean = () => false,
): Release | undefined {
  const now = current(releases)
  return releases.findLast((release) => isGood(release) && !(now && sameAs(release, now)) && !skip(release))
}

/** Ran well, and can in principle run again. */
export function isGood({ status, kind, image }: Release): boolean {
  return status === 'succeeded' && kind !== 'undeploy' && image !== undefined
}

function sameAs(release: Release, other: Release): boolean {
  return release.image?.digest === other.image?.digest && isDeepStrictEqual(release.spec, other.spec)
}
