import type { DocumentWrite, Store } from '../contracts/v1/store.js'
import type { Stage } from '../events/event.js'
import type { RunKind } from '../model/run.js'

/** For a service's first run: the middle of the guide's stage times. */
const firstTimesMs: Record<Stage, number> = {
  source: 20_000,
  analyse: 7_500,
  build: 180_000,
  push: 75_000,
  deploy: 180_000,
  verify: 5_000,
  record: 100,
}

/** How long the stage usually takes for this service in a run of that kind: the median of its last five times. In milliseconds. */
export async function usualTimeOf(store: Store, service: string, kind: RunKind, stage: Stage): Promise<number> {
  const times = await timesOf(store, keyOf(service, kind, stage))
  return times.toSorted((one, other) => one - other)[Math.floor(times.length / 2)] ?? firstTimesMs[stage]
}

export async function rememberTime(
  store: Store,
  { service, kind }: { readonly service: string; readonly kind: RunKind },
  stage: Stage,
  durationMs: number,
): Promise<DocumentWrite> {
  const key = keyOf(service, kind, stage)
  return { kind: 'stage-times', key, value: [...(await timesOf(store, key)), durationMs].slice(-5) }
}

async function timesOf(store: Store, key: string): Promise<number[]> {
  const value = await store.documents.get('stage-times', key)
  return Array.isArray(value) ? value.filter((time) => typeof time === 'number') : []
}

function keyOf(service: string, kind: RunKind, stage: Stage): string {
  return `${service}/${kind}/${stage}`
}
