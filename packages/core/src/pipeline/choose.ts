import type { BuiltImage } from '../contracts/v1/builder.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Release } from '../model/release.js'
import { renderSpec } from '../model/render.js'
import type {
  DeployRequest,
  PushRequest,
  RestartRequest,
  RollbackRequest,
  ScaleRequest,
  UndeployRequest,
} from '../model/run.js'
import { buildOf } from '../release/builds.js'
import { current, history } from '../release/history.js'
import { refuseQuarantined } from '../release/quarantine.js'
import { readinessOf } from '../release/readiness.js'
import { targetRelease } from '../release/target-release.js'
import type { Deployment, Subject } from './deploy.js'
import { resolveImage } from './image.js'
import { environmentOf } from './lookup.js'
import type { PipelineRun } from './pipeline-run.js'
import type { Tagged } from './push.js'
import { requireSecrets } from './secrets.js'
import { step } from './step.js'

/** The image that was asked for, resolved once: a tag that moves while the run waits changes nothing any more. */
export async function chooseImage(run: PipelineRun<DeployRequest>): Promise<Subject> {
  const { service, definition, environment, image: asked, acceptQuarantined } = run.request
  const spec = renderSpec(environmentOf(run))
  const image = await step(run, 'source', {
    async do(context) {
      await requireSecrets({ env: spec.env }, context)
      const found =
        typeof asked === 'string' ? await resolveImage(run.adapters, definition, environment, asked, context) : asked
      if (!acceptQuarantined) await refuseQuarantined(run.store, { service, environment, digest: found.digest, spec })
      return found
    },
    announce: (found) => ({ type: 'image-resolved', image: found }),
  })
  const made = run.request.from && current(await history(run.store, service, run.request.from))
  if (!made || made.image?.digest !== image.digest) return { image }
  return { image, commit: made.commit, ref: made.ref, buildNumber: made.buildNumber }
}

/**
 * The kept release to bring back: the one asked for, or the newest good one before the current. Reads only. Rejects with
 * `ROLLBACK_IMPOSSIBLE`, naming what there is, and `SCHEMA_CHANGE`.
 */
export async function chooseRelease(run: PipelineRun<RollbackRequest>): Promise<Subject> {
  const chosen = chosenBefore(run)
  if (chosen) return chosen
  const releases = await history(run.store, run.request.service, run.request.environment)
  const kept = targetRelease(releases, run.request)
  const context = run.context('deploy')
  await requireSecrets({ env: kept.spec?.env }, context)
  const readiness = await readinessOf(run, { definition: run.request.definition, release: kept }, context)
  if (readiness.class === 'impossible')
    throw new KiwiError('ROLLBACK_IMPOSSIBLE', `release ${kept.number} cannot be brought back: ${readiness.because}`)
  return { ...again(kept), slot: kept.slot, of: kept.id }
}

/** What runs now. Rejects with `NOTHING_DEPLOYED`. */
export async function chooseCurrent(
  run: PipelineRun<RestartRequest | ScaleRequest | UndeployRequest>,
): Promise<Subject> {
  const chosen = chosenBefore(run)
  if (chosen) return chosen
  const { service, environment } = run.request
  const now = current(await history(run.store, service, environment))
  if (now) return again(now)
  throw new KiwiError('NOTHING_DEPLOYED', `nothing of ${service} is deployed to ${environment}`)
}

/** Chosen once: the history that it was chosen from may have this run's own release in it by now. */
function chosenBefore({ journal }: PipelineRun): Subject | undefined {
  const intent = journal.get('deploy')?.intent as unknown as Deployment | undefined // written by pipeline/deploy.ts
  return intent?.subject
}

/** The image of a build as it lies on this host. Rejects with `BUILD_UNKNOWN`, `MANIFEST_UNKNOWN`. */
export async function chooseBuild(run: PipelineRun<PushRequest>): Promise<{ recipe: Tagged; built: BuiltImage }> {
  const { service, buildNumber } = run.request
  const { runId, tag } = await buildOf(run.store, service, buildNumber)
  const made = (await run.store.steps(runId)).find(({ name }) => name === 'build')
  if (made?.state !== 'done' || tag === undefined)
    throw new KiwiError('MANIFEST_UNKNOWN', `build ${buildNumber} of ${service} has no image that could be pushed`)
  return { recipe: { tag, buildNumber }, built: made.result as unknown as BuiltImage } // written by pipeline/build.ts
}

/** The same image and spec once more. */
function again(release: Release): Subject {
  const { image, commit, ref, buildNumber, spec, replicas, verify } = release
  if (!image || !spec)
    throw new KiwiError('ROLLBACK_IMPOSSIBLE', `release ${release.number} never got as far as an image`)
  return { image, commit, ref, buildNumber, like: { spec, replicas, verify } }
}
