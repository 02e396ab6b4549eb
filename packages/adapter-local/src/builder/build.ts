import { readFile, realpath } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { type BuildIo, type BuildRequest, type BuiltImage, type Context, KiwiError } from '@kiwi/core'
import { type BaseImage, openBase } from './base.js'
import { contextTree } from './context-tree.js'
import { fileHashes } from './file-hashes.js'
import { missingFor } from './fit.js'
import { readIgnore } from './ignore.js'
import { finishImage } from './image.js'
import { keyOf } from './key.js'
import { asSyntaxError, readDockerfile } from './read-dockerfile.js'
import type { Session } from './session.js'
import { buildStage, type ReadyStage, triggersOf } from './stage.js'
import { stepReporter } from './steps.js'
import type { Workshop } from './workshop.js'

/** One build: read, open the bases, build the stages that are needed, hand the image over. */
export async function build(
  workshop: Workshop,
  request: BuildRequest,
  io: BuildIo,
  context: Context,
): Promise<BuiltImage> {
  const read = readDockerfile(request)
  refuseUnfit(missingFor(request, { kind: 'namespaces', because: 'looked at when a step needs it' }))
  const root = await contextRoot(io.tree.directory, request.contextPath)
  const hashes = await fileHashes(workshop.directory, root)
  const tree = contextTree(root, readIgnore(await ignoreText(io.tree.directory, request)), hashes)
  const lineage = keyOf(
    context.operation.fence.scope,
    request.dockerfilePath,
    request.contextPath,
    request.target ?? '',
  )
  const last = await workshop.cache.lineage(lineage)
  const images = imageOpener(workshop, request, io, context)
  const session: Session = {
    ...read,
    workshop,
    request,
    io,
    context,
    tree,
    ...images,
    last,
    drafts: new Map(),
    origins: {},
  }
  try {
    const stages = await Promise.all(
      read.plan.stages.map(
        async (planned): Promise<ReadyStage> => ({ planned, triggers: await triggersOf(session, planned) }),
      ),
    )
    const total = stages.reduce(
      (sum, { planned, triggers }) => sum + 1 + triggers.length + planned.stage.instructions.length,
      0,
    )
    const steps = stepReporter(context, total)
    for (const stage of stages) session.drafts.set(stage.planned.stage.index, await buildStage(session, stage, steps))
    const draft = session.drafts.get(read.plan.target.stage.index)
    if (draft === undefined) throw new TypeError('the target is always among the stages')
    await images.pullAll(draft.layers.map(({ descriptor }) => descriptor.digest))
    const image = { ...(await finishImage(session, draft)), steps: steps.counts }
    await Promise.all([
      hashes.save(),
      keepOrigins(session, lineage),
      workshop.cache.keepImage(context.operation.id, image),
    ])
    return image
  } catch (error) {
    throw asSyntaxError(error)
  }
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

async function contextRoot(directory: string, contextPath: string): Promise<string> {
  const whole = await realpath(directory)
  const root = await realpath(join(whole, contextPath)).catch(() => undefined)
  if (root !== undefined && (root === whole || root.startsWith(`${whole}/`))) return root
  throw new KiwiError('CONTEXT_INVALID', `the build context ${contextPath} is not in the source`, {
    evidence: { path: contextPath },
  })
}

/** The wizard's own, then the Dockerfile's, then the context's. */
async function ignoreText(
  directory: string,
  { ignore, dockerfilePath, contextPath }: BuildRequest,
): Promise<string | undefined> {
  if (ignore !== undefined) return ignore
  const text = (path: string) => readFile(join(directory, path), 'utf8').catch(() => undefined)
  return (await text(`${dockerfilePath}.dockerignore`)) ?? (await text(posix.join(contextPath, '.dockerignore')))
}

/** Opens each image once, and starts to bring its layers here at once: they are needed for the push in any case. */
function imageOpener(workshop: Workshop, request: BuildRequest, io: BuildIo, context: Context) {
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
    pullAll: async (digests: readonly string[]) => {
      await Promise.all(digests.map((digest) => pulls.get(digest)?.()))
    },
  }
}

async function keepOrigins({ workshop, last, origins }: Session, lineage: string): Promise<void> {
  if (JSON.stringify(last) !== JSON.stringify(origins)) await workshop.cache.keepLineage(lineage, origins)
}
