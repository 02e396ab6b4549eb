import type { Context, Probe } from '../contracts/v1/context.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Engine } from './engine.js'

type Part = 'builder' | 'registry' | 'runtime'

/** Asks every adapter how it is; one that throws is not well, and says why. */
export async function probeAll(
  engine: Engine,
): Promise<readonly ({ readonly name: string; readonly part: Part } & Probe)[]> {
  const { builders, registries, runtimes } = engine.adapters
  const context = probeContext(engine)
  const ask = (part: Part, all: Readonly<Record<string, { probe(context: Context): Promise<Probe> }>>) =>
    Object.entries(all).map(async ([name, adapter]) => ({
      name,
      part,
      ...(await adapter.probe(context).catch(unwell)),
    }))
  return Promise.all([...ask('builder', builders), ...ask('registry', registries), ...ask('runtime', runtimes)])
}

function unwell(error: unknown): Probe {
  const { message, hint } = KiwiError.from(error)
  return { ok: false, summary: message, details: { hint } }
}

/** Probing belongs to no run: nobody listens, and there is no lease. */
function probeContext({ secret, closing }: Engine): Context {
  return {
    signal: closing,
    operation: { id: 'probe', fence: { scope: 'probe', token: 0 } },
    secret,
    report: () => undefined,
    output: async () => undefined,
  }
}
