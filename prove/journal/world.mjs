// The far side of the journal campaign: builder, registry and runtime in memory, in the campaign's process. The process under test reaches
// them by messages, so that it can be killed between a request and its answer while the world goes on, as real servers do.
import { memoryBuilder, memoryRegistry, memoryRuntime } from '@kiwi/core/testing'

/**
 * @typedef {{ id: number, part: 'builder' | 'registry' | 'runtime', method: string, args: any[], operation: any }} Request
 */
export function createWorld() {
  const runtime = memoryRuntime({ addresses: [] })
  const registry = memoryRegistry()
  const builder = memoryBuilder()
  /** Tasks that really ran, by name: a migration that runs twice is a fault. */
  const tasks = []
  const act = runtime.act.bind(runtime)
  const parts = { builder, registry, runtime }
  return {
    runtime,
    builder,
    tasks,
    /** @param {Request} request */
    async answer({ part, method, args, operation }) {
      const context = contextOf(operation)
      if (part === 'builder' && method === 'build') return build(builder, registry, args[0], context)
      if (part === 'builder' && method === 'find') return inRegistry(await builder.find(args[0], context))
      if (part === 'runtime' && method === 'look') return runtime.snapshot(args[0])
      if (part === 'runtime' && method === 'act' && args[1].type === 'run-once') {
        const before = runtime.snapshot(args[0]).tasks.some(({ id }) => id === args[1].task)
        await act(args[0], args[1], context)
        if (!before) tasks.push(args[1].task)
        return undefined
      }
      return parts[part][method](...args, context)
    },
  }
}

/** Builds into the registry itself, as a builder in a cluster does. */
async function build(builder, registry, request, context) {
  const built = await builder.build(
    request,
    { sink: registry.sink(request.labels['org.opencontainers.image.title']) },
    context,
  )
  return inRegistry(built)
}

function inRegistry(built) {
  return built && { ...built, at: 'registry' }
}

function contextOf(operation) {
  return {
    signal: new AbortController().signal,
    operation,
    secret: () => Promise.reject(new Error('the campaign has no secrets')),
    report: () => {},
    output: async () => {},
  }
}
