import type Docker from 'dockerode'
import type { ContainerInspectInfo } from 'dockerode'

/** How the run before the present one ended. */
export interface LastExit {
  readonly exitCode?: number | undefined
  readonly reason: string
}

/**
 * An instance that was started again shows its present run only; the engine's recent events still tell how the one before ended.
 * `undefined` for an instance that never ended by itself, or whose end is forgotten.
 */
export async function lastExit(docker: Docker, instance: ContainerInspectInfo): Promise<LastExit | undefined> {
  const { Running, Restarting, FinishedAt, StartedAt } = instance.State
  if (instance.RestartCount === 0 || !Running || Restarting) return undefined
  const events = await docker.getEvents({
    // Times of the engine's own clock, the second one passed: so the answer ends at once.
    since: Math.floor(Date.parse(FinishedAt) / 1000) - 2,
    until: Math.ceil(Date.parse(StartedAt)) / 1000,
    filters: { container: [instance.Id], event: ['die', 'oom'] },
  })
  let text = ''
  for await (const chunk of events) text += String(chunk)
  return exitOf(text.split('\n').filter((line) => line !== ''))
}

export function exitOf(lines: readonly string[]): LastExit | undefined {
  const events = lines.map((line): EngineEvent => JSON.parse(line))
  const died = events.findLast((event) => event.Action === 'die')
  if (died === undefined) return undefined
  const code = died.Actor?.Attributes?.exitCode
  const oom = events.some((event) => event.Action === 'oom')
  return { reason: oom ? 'OOMKilled' : 'exited', ...(code === undefined ? {} : { exitCode: Number(code) }) }
}

interface EngineEvent {
  readonly Action?: string
  readonly Actor?: { readonly Attributes?: { readonly exitCode?: string } }
}
