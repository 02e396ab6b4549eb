import type { Build, Release } from '../model/release.js'
import type {
  AdoptRequest,
  BuildRunRequest,
  DeployRequest,
  PushRequest,
  ReleaseRequest,
  RestartRequest,
  RollbackRequest,
  ScaleRequest,
  UndeployRequest,
} from '../model/run.js'
import { adopt as takeOver } from './adopt.js'
import { analyse } from './analyse.js'
import { approval } from './approval.js'
import { build as buildImage } from './build.js'
import { chooseBuild, chooseCurrent, chooseImage, chooseRelease } from './choose.js'
import { undeploy as rollAway, deploy as rollOut, scale as rollToSize } from './deploy.js'
import type { PipelineRun } from './pipeline-run.js'
import { builtBy, push as pushImage } from './push.js'
import { record } from './record.js'
import { source } from './source.js'
import { verify } from './verify.js'

/**
 * A Git ref becomes a running, verified release. Every await is a journaled step: after a crash, what is finished returns what it
 * returned before, what is half-done is looked for and adopted, and the rest is done.
 */
export async function release(run: PipelineRun<ReleaseRequest>): Promise<Release> {
  const revision = await source(run)
  const recipe = await analyse(run, revision)
  const built = await buildImage(run, revision, recipe)
  const image = await pushImage(run, recipe, built)
  await approval(run)
  const deployed = await rollOut(run, {
    image,
    commit: revision.commit,
    ref: revision.ref,
    buildNumber: recipe.buildNumber,
  })
  const verified = await verify(run, deployed)
  return await record(run, verified)
}

/** The first half: a Git ref becomes an image, in the registry or on its way there. */
export async function build(run: PipelineRun<BuildRunRequest>): Promise<Build> {
  const revision = await source(run)
  const recipe = await analyse(run, revision)
  const built = await buildImage(run, revision, recipe)
  if (run.request.push) await pushImage(run, recipe, built)
  return await builtBy(run, recipe)
}

/** An image that was built here goes to its registry. */
export async function push(run: PipelineRun<PushRequest>): Promise<Build> {
  const { recipe, built } = await chooseBuild(run)
  await pushImage(run, recipe, built)
  return await builtBy(run, recipe)
}

/** The second half, for any image, also one that Kiwi did not build. */
export async function deploy(run: PipelineRun<DeployRequest>): Promise<Release> {
  const chosen = await chooseImage(run)
  await approval(run)
  const deployed = await rollOut(run, chosen)
  const verified = await verify(run, deployed)
  return await record(run, verified)
}

/** A kept release runs again: the same image by digest, the same spec, in the slot that still runs where there is one. */
export async function rollback(run: PipelineRun<RollbackRequest>): Promise<Release> {
  const kept = await chooseRelease(run)
  const deployed = await rollOut(run, kept)
  const verified = await verify(run, deployed)
  return await record(run, verified)
}

/** The current release again, in new instances. */
export async function restart(run: PipelineRun<RestartRequest>): Promise<Release> {
  const current = await chooseCurrent(run)
  const deployed = await rollOut(run, current)
  const verified = await verify(run, deployed)
  return await record(run, verified)
}

/** The current release with more or fewer instances. */
export async function scale(run: PipelineRun<ScaleRequest>): Promise<Release> {
  const current = await chooseCurrent(run)
  const deployed = await rollToSize(run, current)
  return await record(run, deployed)
}

/** Everything of the environment goes; the history stays. */
export async function undeploy(run: PipelineRun<UndeployRequest>): Promise<Release> {
  const current = await chooseCurrent(run)
  const removed = await rollAway(run, current)
  return await record(run, removed)
}

/** What runs already, made by someone else, becomes release 0; nothing is restarted. */
export async function adopt(run: PipelineRun<AdoptRequest>): Promise<Release> {
  const adopted = await takeOver(run)
  return await record(run, adopted)
}
