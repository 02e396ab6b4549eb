import type { Release } from '../model/release.js'
import type { ServiceDefinition } from '../model/service.js'
import { current, isGood, previousGood } from './history.js'

/** At least so many good releases per environment can be brought back. */
export const leastKept = 10

/**
 * The releases of one environment whose image, configuration and events are kept: the current one, the one before it that a rollback brings
 * back, the newest good ones, and the newest one of each of as many images: restarts push no image out.
 */
export function keptReleases(releases: readonly Release[], keep: number = leastKept): Release[] {
  const count = Math.max(keep, leastKept)
  const good = releases.filter(isGood)
  const byImage = new Map(good.map((release) => [release.image?.digest, release]))
  const newestOfImages = [...byImage.values()].toSorted((one, other) => one.number - other.number).slice(-count)
  const kept = new Set([current(releases), previousGood(releases), ...good.slice(-count), ...newestOfImages])
  return releases.filter((release) => kept.has(release))
}

/** How many are kept, as the environment says; of one that is in the definition no more: the least. */
export function keepOf(definition: ServiceDefinition, environment: string): number {
  return definition.environments[environment]?.keepReleases ?? leastKept
}
