import { setTimeout as sleep } from 'node:timers/promises'
import { type Context, KiwiError, type Publish, type Target } from '@kiwi/core'
import type { ContainerInspectInfo } from 'dockerode'
import { type Edge, type Engine, ensureEdge, publishedBy, samePublish } from './edge/edge.js'
import { edgePort } from './edge/places.js'

/**
 * Writes the token into the edge, which is made when the target has none, and makes it publish what the target asks for.
 * Rejects with `PORT_TAKEN` where that cannot be had; what was published before is then published again.
 */
export async function claim(engine: Engine, target: Target, context: Context): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await claimOnce(engine, target, context)
    } catch (thrown) {
      if (attempt === attempts || !isMeeting(thrown)) throw thrown
      await sleep(100 * attempt, undefined, { signal: context.signal })
    }
  }
}

const attempts = 10

/** Another claim at the same time may replace the edge under this one. The token only grows, so that to claim again is safe. */
function isMeeting(thrown: unknown): boolean {
  if (!KiwiError.is(thrown)) return false
  return thrown.code === 'CONFLICT' || (thrown.code === 'RUNTIME_FAILED' && thrown.retryable)
}

async function claimOnce(engine: Engine, target: Target, context: Context): Promise<void> {
  const { token } = context.operation.fence
  context.signal.throwIfAborted()
  const edge = await ensureEdge(engine, target, context.signal)
  const publish = wantedPublish(target.publish, edge)
  try {
    context.signal.throwIfAborted()
    const state = await edge.session.ask({ type: 'claim', token })
    if (samePublish(publishedBy(edge.container), publish)) return
    await edge.session.ask({ type: 'publish', token, seq: state.seq, publish })
  } finally {
    await edge[Symbol.asyncDispose]()
  }
  await using _ = await ensureEdge(engine, { ...target, publish }, context.signal)
}

/** Any free port (0) is the engine's choice the first time; from then on that one is asked for, so that a restart keeps it. */
function wantedPublish(publish: Publish, { container }: Edge): Publish {
  if (publish.port !== 0) return publish
  const known = publishedBy(container)
  const sameOtherwise = known !== undefined && samePublish({ ...known, port: 0 }, publish)
  return sameOtherwise ? { ...publish, port: known.port === 0 ? boundPort(container) : known.port } : publish
}

function boundPort(container: ContainerInspectInfo): number {
  return Number(container.NetworkSettings.Ports[`${edgePort}/tcp`]?.[0]?.HostPort ?? 0)
}
