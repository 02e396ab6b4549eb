import type { DocumentWrite } from '../contracts/v1/store.js'
import type { Stage } from '../events/event.js'
import type { PipelineRun } from './pipeline-run.js'

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

/** How long the stage usually takes for this service: the median of its last five times. */
export async function usualTime(run: PipelineRun, stage: Stage): Promise<number> {
  const times = await timesOf(run, stage)
  return times.toSorted((one, other) => one - other)[Math.floor(times.length / 2)] ?? firstTimesMs[stage]
}

export async function rememberTime(run: PipelineRun, stage: Stage, durationMs: number): Promise<DocumentWrite> {
  const times = [...(await timesOf(run, stage)), durationMs].slice(-5)
  return { kind: 'stage-times', key: keyOf(run, stage), value: times }
}

async function timesOf(run: PipelineRun, stage: Stage): Promise<number[]> {
  const value = await run.store.documents.get('stage-times', keyOf(run, stage))
  return Array.isArray(value) ? value.filter((time) => typeof time === 'number') : []
}

function keyOf({ request }: PipelineRun, stage: Stage): string {
  return `${request.service}/${request.kind}/${stage}`
}
