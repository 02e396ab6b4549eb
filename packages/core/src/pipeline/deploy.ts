import type { Context } from '../contracts/v1/context.js'
import { pipe } from '../image/pipe.js'
import type { ImageRecord, Release } from '../model/release.js'
import { renderSpec, targetOf } from '../model/render.js'
import { history, lastGood } from '../release/history.js'
import { rollout } from '../rollout/loop.js'
import type { Wanted } from '../rollout/types.js'
import { instructionOf } from './instruction.js'
import { environmentOf, registryOf, runtimeOf } from './lookup.js'
import type { PipelineRun } from './pipeline-run.js'
import { requireSecrets } from './secrets.js'
import { step } from './step.js'

/** What to run: an image, or a kept release with its slot and spec. */
export interface Subject {
  readonly image: ImageRecord
  readonly commit: string | undefined
  readonly ref: string | undefined
  readonly of?: Pick<Release, 'id' | 'slot' | 'spec' | 'replicas'> | undefined
}

/** Fixed before the first act; together with what is seen it is all that a rollout needs. */
export interface Deployment {
  readonly number: number
  readonly releaseId: string
  readonly subject: Subject
  readonly wanted: Omit<Wanted, 'image'>
  /** The release whose place it takes. */
  readonly replaced: string | undefined
}

export interface Deployed {
  readonly deployment: Deployment
  readonly addresses: readonly string[]
}

/** Brings the image up on the environment's runtime and moves the route to it. */
export function deploy(run: PipelineRun, subject: Subject): Promise<Deployed> {
  return step(run, 'deploy', {
    intent: () => wantedFor(run, subject),
    async do(context, deployment, since) {
      const { addresses } = await rollOut(run, deployment, context, since)
      return { deployment, addresses }
    },
  })
}

/** The rollout of a deployment; `verify` calls it again to go back. */
export async function rollOut(
  run: PipelineRun,
  { subject, wanted }: Deployment,
  context: Context,
  since: number,
  instruction = () => instructionOf(run),
) {
  await requireSecrets({ env: wanted.spec.env }, context) // after a crash the redactor of this process must know them, too
  const environment = environmentOf(run)
  const { service, environment: name } = run.request
  const target = targetOf(service, name, environment)
  const runtime = runtimeOf(run, environment.runtime)
  await runtime.claim(target, context)
  return rollout({
    runtime,
    target,
    strategy: environment.strategy ?? 'blue-green',
    wanted: { ...wanted, image: imageAtUse(run, subject.image) },
    since,
    clock: run.clock,
    context,
    instruction,
    provide: () => provide(run, subject.image, context),
    emit: (body) => run.events.emit(body, 'deploy'),
    killPoint: run.killPoint,
  })
}

async function wantedFor(run: PipelineRun, subject: Subject): Promise<Deployment> {
  const { service, environment: name } = run.request
  const environment = environmentOf(run)
  const releases = await history(run.store, service, name)
  const number = (releases.at(-1)?.number ?? 0) + 1
  const releaseId = `${service}/${name}/${number}`
  const current = lastGood(releases)
  const { of } = subject
  return {
    number,
    releaseId,
    subject,
    wanted: {
      slot: of?.slot ?? `r${number}`,
      release: releaseId,
      spec: of?.spec ?? renderSpec(environment),
      replicas: of?.replicas ?? environment.replicas ?? 1,
      replaces: current?.slot,
      readyWithinMs: environment.readyWithinMs ?? 120_000,
    },
    replaced: current?.id,
  }
}

function imageAtUse(run: PipelineRun, { registry, repository, tag, digest }: ImageRecord): Wanted['image'] {
  return {
    digest,
    name: `${registry}/${repository}:${tag}`,
    pull: `${registryOf(run, registry).address(repository)}@${digest}`,
  }
}

/** For a runtime that does not pull by itself: copies the image to it. What it has already moves no bytes. */
async function provide(
  run: PipelineRun,
  { registry, repository, digest }: ImageRecord,
  context: Context,
): Promise<void> {
  const runtime = runtimeOf(run, environmentOf(run).runtime)
  if (runtime.traits.takes.includes('registry') || !runtime.sink) return
  const source = await registryOf(run, registry).source({ repository, reference: digest }, context)
  await pipe(source, runtime.sink(context), {}, context)
}
