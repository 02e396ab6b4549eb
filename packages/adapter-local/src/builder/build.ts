import { type BuildIo, type BuildRequest, type BuiltImage, type Context, KiwiError } from '@kiwi/core'
import type { Layer } from '../layers/index.js'
import { type BaseImage, openBase } from './base.js'
import { missingFor, missingInInstruction } from './fit.js'
import { finishImage } from './image.js'
import { keyOf } from './key.js'
import { namedContexts } from './named-contexts.js'
import { openContext } from './open-context.js'
import { asSyntaxError, readDockerfile } from './read-dockerfile.js'
import { registryCache, writeRegistryCache } from './registry-cache.js'
import { reportOf } from './report.js'
import type { Session } from './session.js'
import { type ReadyStage, triggersOf } from './stage.js'
import { buildStages, stepsOf, stoppable } from './stages.js'
import type { Workshop } from './workshop.js'

/** One build: read, open the bases, build the stages that are needed, hand the image over. */
export async function build(
  workshop: Workshop,
  request: BuildRequest,
  io: BuildIo,
  outer: Context,
): Promise<BuiltImage> {
  const read = readDockerfile(request)
  refuseUnfit(missingFor(request, { kind: 'namespaces', because: 'looked at when a step needs it' }))
  const lineage = lineageOf(request, outer)
  const [{ tree, hashes }, last] = await Promise.all([
    openContext(io.tree.directory, request, workshop.directory),
    workshop.cache.lineage(lineage),
  ])
  const stop = new AbortController()
  const context = stoppable(outer, stop)
  const images = imageOpener(workshop, request, io, context)
  const done = { drafts: new Map(), origins: {}, results: new Map() }
  const kept = registryCache(io.cache ?? { from: [] }, { workshop, context })
  const contexts = namedContexts(io.tree.directory, request, workshop.directory)
  const own = { workshop, request, io, context, stop, tree, contexts, last, registryCache: kept }
  const session: Session = { ...read, ...images, ...done, ...own }
  try {
    const image = await buildImage(session, images)
    if (io.cache?.to !== undefined) await writeRegistryCache(io.cache.to, session.results, session)
    const adopted = workshop.cache.keepImage(context.operation.id, image)
    await Promise.all([hashes.save(), contexts.save(), keepOrigins(session, lineage), adopted])
    return image
  } catch (error) {
    throw asSyntaxError(error)
  }
}

async function buildImage(session: Session, images: ImageOpener): Promise<BuiltImage> {
  const { plan, drafts } = session
  const stages = await readyStages(session)
  refuseUnfit(stages.flatMap(({ triggers }) => triggers.flatMap(missingInInstruction)))
  await fetchBase(session, images)
  const steps = await buildStages(session, stages)
  const draft = drafts.get(plan.target.stage.index)
  if (draft === undefined) throw new TypeError('the target is always among the stages')
  const image = { ...(await finishImage(session, draft, images.pull)), steps: steps.counts }
  // Where every step came from a cache, the build that made them has told all there is.
  if (steps.counts.cached === steps.counts.total) return image
  return { ...image, report: await reportOf(session, draft, { steps: steps.ended(), base: baseOf(plan) }) }
}

/** With what their bases add, and the place of their steps among all. */
async function readyStages(session: Session): Promise<ReadyStage[]> {
  const triggers = await Promise.all(session.plan.stages.map((planned) => triggersOf(session, planned)))
  let firstStep = 0
  return session.plan.stages.map((planned, index) => {
    const stage = { planned, triggers: triggers[index] ?? [], firstStep }
    firstStep += stepsOf(stage)
    return stage
  })
}

/** Starts to bring the layers of the finished image here that the sink lacks; whoever needs one waits for it. */
async function fetchBase({ plan, image, io, workshop, context }: Session, { pull }: ImageOpener): Promise<void> {
  const reference = baseOf(plan)
  if (reference === undefined) return
  const { layers } = await image(reference)
  const fetch = async ({ descriptor }: Layer) => {
    if (await workshop.layout.sink.has(descriptor, context)) return
    if (!(await io.sink.has(descriptor, context))) await pull(descriptor.digest)
  }
  // What fails here fails again for the one who waits for it.
  Promise.allSettled(layers.map(fetch))
}

/** The image below the target and the stages that it is built on; undefined for scratch. */
function baseOf({ stages, target }: Session['plan']): string | undefined {
  let base: (typeof target)['base'] | undefined = target.base
  while (base?.kind === 'stage') {
    const index: number = base.index
    base = stages.find(({ stage }) => stage.index === index)?.base
  }
  return base?.kind === 'image' ? base.reference : undefined
}

/** What counts as the same thing built again: for the reasons of a miss only. */
function lineageOf({ dockerfilePath, contextPath, target = '' }: BuildRequest, { operation }: Context): string {
  return keyOf(operation.fence.scope, dockerfilePath, contextPath, target)
}

function refuseUnfit(missing: ReturnType<typeof missingFor>): void {
  const [first] = missing
  if (first === undefined) return
  const list = missing.map(({ what, line }) => (line === undefined ? what : `${what} (line ${line})`))
  throw new KiwiError('BUILDER_UNFIT', `this builder lacks ${list.join(', ')}`, {
    hint: first.cure,
    evidence: { missing: missing.map((one) => ({ ...one })) },
  })
}

interface ImageOpener {
  image(reference: string): Promise<BaseImage>
  /** Brings a blob of an image opened here into the layout; others are there already. */
  pull(digest: string): Promise<void>
}

/** Opens each image once. */
function imageOpener(workshop: Workshop, request: BuildRequest, io: BuildIo, context: Context): ImageOpener {
  const opened = new Map<string, Promise<BaseImage>>()
  const pulls = new Map<string, () => Promise<void>>()
  const open = async (reference: string) => {
    const image = await openBase(reference, request.platform, { workshop, io, context })
    for (const { descriptor } of image.layers) pulls.set(descriptor.digest, () => image.pull(descriptor))
    return image
  }
  return {
    image(reference: string): Promise<BaseImage> {
      const image = opened.get(reference) ?? open(reference)
      opened.set(reference, image)
      return image
    },
    pull: async (digest: string) => pulls.get(digest)?.(),
  }
}

async function keepOrigins({ workshop, last, origins }: Session, lineage: string): Promise<void> {
  if (JSON.stringify(last) !== JSON.stringify(origins)) await workshop.cache.keepLineage(lineage, origins)
}
