import type { Release } from '../model/release.js'
import type { ReleaseRequest, RollbackRequest } from '../model/run.js'
import { analyse } from './analyse.js'
import { build } from './build.js'
import { deploy } from './deploy.js'
import type { PipelineRun } from './pipeline-run.js'
import { push } from './push.js'
import { record } from './record.js'
import { chooseRelease } from './rollback.js'
import { source } from './source.js'
import { verify } from './verify.js'

/**
 * A Git ref becomes a running, verified release. Every await is a journaled step: after a crash, what is finished returns what it
 * returned before, what is half-done is looked for and adopted, and the rest is done.
 */
export async function release(run: PipelineRun<ReleaseRequest>): Promise<Release> {
  const revision = await source(run)
  const recipe = await analyse(run, revision)
  const built = await build(run, revision, recipe)
  const image = await push(run, recipe, built)
  const deployed = await deploy(run, { image, commit: revision.commit, ref: revision.ref })
  const verified = await verify(run, deployed)
  return await record(run, verified)
}

/** A kept release runs again: the same image by digest, the same spec, in the slot that still runs where there is one. */
export async function rollback(run: PipelineRun<RollbackRequest>): Promise<Release> {
  const kept = await chooseRelease(run)
  const deployed = await deploy(run, kept)
  const verified = await verify(run, deployed)
  return await record(run, verified)
}
