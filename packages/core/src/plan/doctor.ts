import type { Context, Probe } from '../contracts/v1/context.js'
import type { Engine } from '../journal/engine.js'
import type { Part } from '../registers/adapters.js'
import { probed } from '../registers/probe.js'
import { type Unprotected, unprotected } from '../release/guard.js'
import { type FoundTool, findTools } from './tools.js'

/** What was asked, and what it said. It proposes; nothing switches by itself. */
export interface Doctor {
  /** Every adapter is well, and no tool that is needed is missing. */
  readonly ok: boolean
  readonly adapters: readonly ({
    readonly name: string
    readonly part: 'builder' | Part
    readonly kind: string
  } & Probe)[]
  readonly tools: readonly FoundTool[]
  /** Images that rollbacks need and that a registry does not keep, as far as it was asked; `kiwi.prune({ apply: true })` asks again. */
  readonly unprotected: readonly Unprotected[]
  /** What would make it well, one sentence each. */
  readonly proposals: readonly string[]
}

export async function doctor({ adapters, store }: Engine, context: Context): Promise<Doctor> {
  const { builders, registries, runtimes } = adapters
  const asked = [
    ...Object.entries(builders).map(([name, builder]) => ({
      name,
      part: 'builder' as const,
      get: async () => builder,
    })),
    ...(await registries.names()).map((name) => ({ name, part: 'registry' as const, get: () => registries.get(name) })),
    ...(await runtimes.names()).map((name) => ({ name, part: 'runtime' as const, get: () => runtimes.get(name) })),
  ]
  const answers = await Promise.all(
    asked.map(async ({ name, part, get }) => {
      const kind = await get().then(
        (adapter) => adapter.kind,
        () => 'unavailable',
      )
      return { name, part, kind, ...(await probed(get, context)) }
    }),
  )
  const tools = await findTools()
  const loose = await unprotected({ adapters, store })
  const proposals = [
    ...answers.filter(({ ok }) => !ok).map(({ part, name, summary }) => `${part} ${name}: ${summary}`),
    ...tools.filter(({ path }) => path === undefined).map((tool) => `install ${tool.package}, for ${tool.neededFor}`),
    ...loose.map(({ address, digest, because }) => `have ${digest ?? 'what is needed'} in ${address} kept: ${because}`),
  ]
  const ok = answers.every((answer) => answer.ok) && tools.every(({ path, optional }) => path !== undefined || optional)
  return { ok, adapters: answers, tools, unprotected: loose, proposals }
}
