import type { Release } from '../model/release.js'
import type { ServiceDefinition } from '../model/service.js'
import { current, isGood } from './history.js'

/** At least so many good releases per environment can be brought back. */
export const leastKept = 10

/** The releases of one environment whose image, configuration and events are kept: the current one and the newest good ones. */
export function keptReleases(releases: readonly Release[], keep: number = leastKept): Release[] {
  const now = current(releases)
  const newest = releases.filter(isGood).slice(-Math.max(keep, leastKept))
  return now && !newest.includes(now) ? [now, ...newest] : newest
}

/** How many are kept, as the environment says; of one that is in the definition no more: the least. */
export function keepOf(definition: ServiceDefinition, environment: string): number {
  return definition.environments[environment]?.keepReleases ?? leastKept
}
