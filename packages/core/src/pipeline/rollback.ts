import { KiwiError } from '../errors/kiwi-error.js'
import type { Release } from '../model/release.js'
import type { RollbackRequest } from '../model/run.js'
import { history, previousGood } from '../release/history.js'
import type { Subject } from './deploy.js'
import type { PipelineRun } from './pipeline-run.js'
import { requireSecrets } from './secrets.js'

/**
 * The kept release to bring back: the one asked for, or the newest good one before the current. Reads only; the answer is fixed by the
 * deploy step's intent. Rejects with `ROLLBACK_IMPOSSIBLE`, naming what there is.
 */
export async function chooseRelease(run: PipelineRun<RollbackRequest>): Promise<Subject> {
  const { service, environment, to } = run.request
  const releases = await history(run.store, service, environment)
  const kept = to === undefined ? previousGood(releases) : releases.find(({ id, number }) => id === to || number === to)
  if (kept?.image === undefined || kept.status !== 'succeeded') throw impossible(releases, to)
  const { id, slot, spec, replicas, image, commit, ref } = kept
  await requireSecrets({ env: spec?.env }, run.context('deploy'))
  return { image, commit, ref, of: { id, slot, spec, replicas } }
}

function impossible(releases: readonly Release[], to: string | number | undefined): KiwiError {
  const good = releases.filter(({ status }) => status === 'succeeded').map(({ number }) => number)
  const what =
    to === undefined
      ? 'there is no good release before the current one'
      : `release ${to} is not a good release of this environment`
  return new KiwiError('ROLLBACK_IMPOSSIBLE', `${what}; good ones: ${good.join(', ') || 'none'}`, {
    evidence: { good },
  })
}
