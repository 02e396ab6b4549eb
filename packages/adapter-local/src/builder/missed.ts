import type { StepOrigin } from './cache.js'

/** Says why no cache had a step, from what the last build of the same thing made that step from. */
export function missedBecause(now: StepOrigin, last: StepOrigin | undefined, isFirstBuild: boolean): string {
  if (isFirstBuild) return 'first build'
  if (last === undefined || last.instruction !== now.instruction) return 'instruction changed'
  const changed = now.files && last.files ? changedFiles(now.files, last.files) : []
  const [first] = changed
  if (first !== undefined)
    return changed.length === 1 ? `${first} changed` : `${first} and ${changed.length - 1} more changed`
  return last.below === now.below ? 'no longer in the cache' : 'an earlier step changed'
}

function changedFiles(now: Readonly<Record<string, string>>, last: Readonly<Record<string, string>>): string[] {
  const names = new Set([...Object.keys(now), ...Object.keys(last)])
  return [...names].filter((name) => now[name] !== last[name]).sort()
}
