import type { Context } from '../contracts/v1/context.js'
import type { Runtime } from '../contracts/v1/runtime.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { pipe } from '../image/pipe.js'
import type { ImageRecord, Release } from '../model/release.js'
import { renderSpec, replicasOf, targetOf } from '../model/render.js'
import type { ScaleRequest } from '../model/run.js'
import type { EnvironmentDefinition, Strategy } from '../model/service.js'
import { current, history } from '../release/history.js'
import { refuseQuarantined } from '../release/quarantine.js'
import { type RolloutOptions, rollout } from '../rollout/loop.js'
import type { Kept } from '../rollout/progress.js'
import type { Procedure, SlotWanted, Wanted } from '../rollout/types.js'
import { instructionOf } from './instruction.js'
import { environmentOf } from './lookup.js'
import type { EnvironmentRun, PipelineRun } from './pipeline-run.js'
import { requireSecrets } from './secrets.js'
import { revise, step } from './step.js'

/** What to run: an image, and where it ran before, how. */
export interface Subject {
  readonly image: ImageRecord
  readonly commit?: string | undefined
  readonly ref?: string | undefined
  readonly buildNumber?: number | undefined
  /** As it ran before; left out: as the environment's definition says. */
  readonly like?: Pick<Release, 'spec' | 'replicas' | 'verify'> | undefined
  /** The slot that ran it, for a release that is brought back. */
  readonly slot?: string | undefined
  /** That release's id. */
  readonly of?: string | undefined
}

/** Fixed before the first act; together with what is seen it is all that a rollout needs. */
export interface Deployment {
  readonly number: number
  readonly releaseId: string
  readonly subject: Subject
  readonly procedure: Procedure
  readonly wanted: Journaled<Omit<Wanted, 'replaces'>> & { readonly replaces: Journaled<SlotWanted> | undefined }
  readonly verify: EnvironmentDefinition['verify']
  readonly schemaChange: boolean
  /** The release whose place it takes. */
  readonly replaced: string | undefined
}

/** Where an image is pulled from is looked up at use. */
type Journaled<Slot extends SlotWanted | Omit<Wanted, 'replaces'>> = Omit<Slot, 'image'> & {
  readonly image: ImageRecord
}

export interface Deployed {
  readonly deployment: Deployment
  readonly addresses: readonly string[]
}

/** Brings the image up on the environment's runtime and moves the route to it. */
export function deploy(run: EnvironmentRun, subject: Subject): Promise<Deployed> {
  return inSteps(run, async () => {
    const runtime = await run.adapters.runtimes.get(environmentOf(run).runtime)
    return wantedFor(run, subject, strategyOn(runtime, environmentOf(run)))
  })
}

/** Changes how many instances the current slot has. */
export function scale(run: PipelineRun<ScaleRequest>, subject: Subject): Promise<Deployed> {
  return inSteps(run, async () => {
    const { slot, ...deployment } = await currentAs(run, subject, 'scale')
    return { ...deployment, wanted: { ...deployment.wanted, slot, replicas: run.request.replicas } }
  })
}

/** Takes the slots of the environment away, and what was published. */
export function undeploy(run: EnvironmentRun, subject: Subject): Promise<Deployed> {
  return inSteps(run, async () => {
    const { slot, ...deployment } = await currentAs(run, subject, 'remove')
    return { ...deployment, wanted: { ...deployment.wanted, slot } }
  })
}

/** The deployment as it was first wanted, and what its rollout must not forget. */
interface UnderWay extends Deployment {
  readonly kept?: Kept | undefined
}

function inSteps(run: EnvironmentRun, intent: () => Promise<Deployment>): Promise<Deployed> {
  return step<UnderWay, Deployed>(run, 'deploy', {
    intent,
    async do(context, { kept, ...deployment }, since) {
      const { addresses } = await rollOut(run, deployment, {
        context,
        since,
        kept,
        keep: (news) => revise(run, 'deploy', { ...deployment, kept: run.redacted(news) }),
        instruction: () => instructionOf(run),
      })
      return { deployment, addresses }
    },
  })
}

/** The rollout of a deployment; `verify` calls it again to go back. */
export async function rollOut(
  run: EnvironmentRun,
  { subject, wanted, procedure }: Deployment,
  options: Pick<RolloutOptions, 'context' | 'since' | 'kept' | 'keep' | 'instruction'>,
) {
  const { context } = options
  await requireSecrets({ env: wanted.spec.env }, context) // after a crash the redactor of this process must know them, too
  const environment = environmentOf(run)
  const { service, environment: name } = run.request
  const target = targetOf(service, name, environment)
  const runtime = await run.adapters.runtimes.get(environment.runtime)
  const { replaces } = wanted
  await runtime.claim(target, context)
  return rollout({
    ...options,
    runtime,
    target,
    procedure,
    wanted: { ...(await atUse(run, wanted)), replaces: replaces && (await atUse(run, replaces)) },
    clock: run.clock,
    provide: ({ digest }) =>
      provide(run, runtime, replaces?.image.digest === digest ? replaces.image : subject.image, context),
    emit: (body) => run.events.emit(body, 'deploy'),
    killPoint: run.killPoint,
  })
}

/** As the environment says; unsaid: rolling where the runtime can, else blue-green. Throws `STRATEGY_UNFIT`. */
export function strategyOn({ traits, kind }: Runtime, { strategy }: EnvironmentDefinition): Strategy {
  const canRoll = traits.routes === 'many'
  if (strategy !== 'rolling' || canRoll) return strategy ?? (canRoll ? 'rolling' : 'blue-green')
  throw new KiwiError(
    'STRATEGY_UNFIT',
    `a ${kind} runtime cannot send traffic to two releases at once, as rolling has to`,
  )
}

async function wantedFor(run: EnvironmentRun, subject: Subject, procedure: Procedure): Promise<Deployment> {
  const { request } = run
  const environment = environmentOf(run)
  if (request.kind === 'release' && !request.acceptQuarantined)
    await refuseQuarantined(run.store, { ...request, digest: subject.image.digest, spec: renderSpec(environment) })
  const { number, releaseId, now } = await nextRelease(run)
  const { like, of } = subject
  const isNew = request.kind === 'release' || request.kind === 'deploy'
  const { beforeSwitch } = environment
  return {
    number,
    releaseId,
    subject,
    procedure,
    wanted: {
      slot: subject.slot ?? `r${number}`,
      release: releaseId,
      image: subject.image,
      spec: like?.spec ?? renderSpec(environment),
      replicas: like?.replicas ?? replicasOf(request.environment, environment),
      replaces: slotOfRelease(now),
      beforeSwitch:
        isNew && beforeSwitch
          ? { command: beforeSwitch.command, withinMs: beforeSwitch.withinMs ?? 600_000 }
          : undefined,
      ...waiting(environment),
    },
    verify: like ? like.verify : environment.verify,
    schemaChange: isNew && (request.schemaChange ?? beforeSwitch?.schemaChange ?? false),
    replaced: of === now?.id ? undefined : now?.id,
  }
}

/** The current release as it runs, for what changes no image. */
async function currentAs(
  run: EnvironmentRun,
  subject: Subject,
  procedure: 'scale' | 'remove',
): Promise<Deployment & { readonly slot: string }> {
  const { number, releaseId, now } = await nextRelease(run)
  const running = slotOfRelease(now)
  if (!running) throw new KiwiError('NOTHING_DEPLOYED', `nothing is deployed to ${run.request.environment}`)
  const wanted = { ...running, replaces: running, beforeSwitch: undefined, ...waiting(environmentOf(run)) }
  const { verify } = now ?? {}
  return {
    number,
    releaseId,
    subject,
    procedure,
    wanted,
    verify,
    schemaChange: false,
    replaced: undefined,
    slot: running.slot,
  }
}

async function nextRelease(run: EnvironmentRun) {
  const { service, environment } = run.request
  const releases = await history(run.store, service, environment)
  const number = (releases.at(-1)?.number ?? 0) + 1
  return { number, releaseId: `${service}/${environment}/${number}`, now: current(releases) }
}

function waiting({ readyWithinMs, tolerance }: EnvironmentDefinition): Pick<Wanted, 'readyWithinMs' | 'tolerance'> {
  return {
    readyWithinMs: readyWithinMs ?? 120_000,
    tolerance: { restarts: tolerance?.restarts ?? 3, silenceMs: tolerance?.silenceMs ?? 60_000 },
  }
}

function slotOfRelease(release: Release | undefined): Journaled<SlotWanted> | undefined {
  if (!release?.slot || !release.spec || !release.image) return undefined
  const { slot, id, image, spec, replicas } = release
  return { slot, release: id, image, spec, replicas }
}

async function atUse<Slot extends { readonly image: ImageRecord }>(run: EnvironmentRun, slot: Slot) {
  const { registry: name, repository, tag, digest } = slot.image
  const registry = await run.adapters.registries.get(name)
  const image = {
    digest,
    name: `${name}/${repository}${tag === undefined ? '' : `:${tag}`}`,
    pull: `${registry.address(repository)}@${digest}`,
  }
  return { ...slot, image }
}

/** For a runtime that does not pull by itself: copies the image to it. What it has already moves no bytes. */
async function provide(
  run: EnvironmentRun,
  runtime: Runtime,
  { registry: name, repository, digest }: ImageRecord,
  context: Context,
): Promise<void> {
  if (runtime.traits.takes.includes('registry') || !runtime.sink) return
  const registry = await run.adapters.registries.get(name)
  const source = await registry.source({ repository, reference: digest }, context)
  await pipe(source, runtime.sink(context), {}, context)
}
