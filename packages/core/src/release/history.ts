import type { Store } from '../contracts/v1/store.js'
import type { Release } from '../model/release.js'

/** All releases of a service's environment, oldest first. */
export async function history(store: Store, service: string, environment: string): Promise<Release[]> {
  const documents = await store.documents.list('release', `${service}/${environment}/`)
  const releases = documents.map(({ value }) => value as unknown as Release) // written by pipeline/record.ts, and only there
  return releases.toSorted((one, other) => one.number - other.number)
}

/** What runs now, as far as the history knows. */
export function lastGood(releases: readonly Release[]): Release | undefined {
  return releases.findLast(({ status }) => status === 'succeeded')
}

/** What ran before that: the newest good release of another image or spec, that is, one that is not the current one brought back. */
export function previousGood(releases: readonly Release[]): Release | undefined {
  const current = lastGood(releases)
  const same = (release: Release) => release.slot === current?.slot
  return releases.findLast((release) => release.status === 'succeeded' && !same(release))
}
