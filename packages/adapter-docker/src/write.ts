import { type Action, type Context, KiwiError, type Target } from '@kiwi/core'
import { type Edge, type Engine, enterEdge } from './edge/edge.js'
import type { EdgeCommand, EdgeState } from './edge/protocol.js'
import { revisionOf, type World } from './facts.js'
import { look } from './observe.js'

/** An act under way: what it was decided on, and the edge that takes its orders one after the other. */
export interface Write extends AsyncDisposable {
  readonly world: World
  readonly edge: Edge
  order(command: OrderOf<EdgeCommand>): Promise<EdgeState>
}

/** A command without what `order` adds: the token, and the number of the write before. */
type OrderOf<C> = C extends { readonly seq: number } ? Omit<C, 'token' | 'seq'> : never

export async function begin(engine: Engine, target: Target, action: Action, context: Context): Promise<Write> {
  context.signal.throwIfAborted()
  const edge = await enterEdge(engine, target)
  if (edge === undefined) throw new KiwiError('CONFLICT', 'the target has no edge', { hint: 'Claim the target first.' })
  try {
    return await checked(engine, target, action, context, edge)
  } catch (thrown) {
    await edge[Symbol.asyncDispose]()
    throw thrown
  }
}

async function checked(engine: Engine, target: Target, action: Action, context: Context, edge: Edge): Promise<Write> {
  const { token } = context.operation.fence
  const world = await look(engine.docker, target, { state: () => edge.session.ask({ type: 'show' }) })
  if (world?.edge === undefined) throw new KiwiError('CONFLICT', 'the edge of the target went away')
  if (token < world.edge.state.token)
    throw new KiwiError('FENCED', `the target was claimed with token ${world.edge.state.token} since`)
  if (revisionOf(world) !== action.revision)
    throw new KiwiError('CONFLICT', 'the target changed since it was looked at')
  let { seq } = world.edge.state
  return {
    world,
    edge,
    async order(command) {
      // A member of the union, and what all of its members have: a member of the union.
      const state = await edge.session.ask({ ...command, token, seq } as EdgeCommand)
      seq = state.seq
      return state
    },
    [Symbol.asyncDispose]: () => edge[Symbol.asyncDispose](),
  }
}
