import type { StepOrigin } from './cache.js'

/** Says why no cache had a step, from what the last build of the same thing made that step from. */
export function missedBecause(now: StepOrigin, last: StepOrigin | undefined, isFirstBuild: boolean): string {
  if (isFirstBuild) return 'first build'
  if (last === undefined || last.instruction !== now.instruction) return 'instruction changed'
  const values = changedNames(now.values, last.values)
  if (values.length > 0) return said(values)
  if (last.base !== undefined && last.base !== now.base) return 'the base image changed'
  const files = changedNames(now.files, last.files)
  if (files.length > 0) return said(files)
  return last.below === now.below ? 'no longer in the cache' : 'an earlier step changed'
}

function said([first = '', ...others]: readonly string[]): string {
  return others.length === 0 ? `${first} changed` : `${first} and ${others.length} more changed`
}

type Table = Readonly<Record<string, string>>

/** Of two tables; where one was not kept, nothing can be said. */
function changedNames(now: Table | undefined, last: Table | undefined): string[] {
  if (now === undefined || last === undefined) return []
  const names = new Set([...Object.keys(now), ...Object.keys(last)])
  return [...names].filter((name) => now[name] !== last[name]).sort()
}
