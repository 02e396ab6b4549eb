import { KiwiError } from '../errors/kiwi-error.js'
import type { Release } from '../model/release.js'
import { isGood, previousGood } from './history.js'

/**
 * The release that a rollback brings back: `to` by number or id, else the newest good one before the current. Throws `ROLLBACK_IMPOSSIBLE`
 * naming the good ones, and `SCHEMA_CHANGE` when a release in between changed the schema and that was not accepted.
 */
export function targetRelease(
  releases: readonly Release[],
  {
    to,
    acceptSchemaChange = false,
  }: { readonly to?: string | number | undefined; readonly acceptSchemaChange?: boolean | undefined },
): Release {
  const found =
    to === undefined ? previousGood(releases) : releases.find(({ id, number }) => id === to || number === to)
  if (!found || !isGood(found)) throw impossible(releases, to)
  const crossed = schemaChangesAfter(releases, found)
  if (crossed.length === 0 || acceptSchemaChange) return found
  throw new KiwiError(
    'SCHEMA_CHANGE',
    `the way back to release ${found.number} crosses a schema change (release ${crossed.join(', ')})`,
    { evidence: { releases: crossed } },
  )
}

/** Numbers of the good releases since that changed the schema: it stays changed when nothing runs any more. */
export function schemaChangesAfter(releases: readonly Release[], target: Release): number[] {
  return releases
    .filter(({ number, schemaChange, status }) => number > target.number && schemaChange && status === 'succeeded')
    .map(({ number }) => number)
}

function impossible(releases: readonly Release[], to: string | number | undefined): KiwiError {
  const good = releases.filter(isGood).map(({ number }) => number)
  const what =
    to === undefined
      ? 'there is no good release before the current one'
      : `release ${to} is not a good release of this environment`
  return new KiwiError('ROLLBACK_IMPOSSIBLE', `${what}; good ones: ${good.join(', ') || 'none'}`, {
    evidence: { good },
  })
}
