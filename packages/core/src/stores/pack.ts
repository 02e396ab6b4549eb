import type { AcceptedRun, Batch, DocumentWrite, StepRecord } from '../contracts/v1/store.js'
import type { EventBody, Stage } from '../events/event.js'

/**
 * What is to be written, as text: made when the store is called, so that nobody can change it while it waits, that it is done once, and that
 * what cannot be written as JSON fails its own call alone.
 */
export interface PackedRun extends AcceptedRun {
  readonly text: string
}

export interface PackedEvent {
  readonly at: number
  readonly stage: Stage | undefined
  readonly body: string
}

export interface PackedStep {
  readonly name: string
  readonly record: string
}

export interface PackedDocument {
  readonly kind: string
  readonly key: string
  readonly value: string
  readonly once: boolean
}

export interface PackedBatch {
  readonly events: readonly PackedEvent[]
  readonly steps: readonly PackedStep[]
  readonly documents: readonly PackedDocument[]
  readonly end: Batch['end']
}

const nothing: readonly never[] = []

export function packBatch({ events, steps, documents, end }: Batch): PackedBatch {
  return {
    events: events?.map(({ at, stage, body }) => packEvent(at, body, stage)) ?? nothing,
    steps: steps?.map(packStep) ?? nothing,
    documents: documents?.map(packDocument) ?? nothing,
    end,
  }
}

export function packEvent(at: number, body: EventBody, stage?: Stage): PackedEvent {
  return { at, stage, body: JSON.stringify(body) }
}

function packStep(step: StepRecord): PackedStep {
  return { name: step.name, record: JSON.stringify(step) }
}

export function packDocument({ kind, key, value, once = false }: DocumentWrite): PackedDocument {
  return { kind, key, value: JSON.stringify(value), once }
}

export function packRun(run: AcceptedRun): PackedRun {
  return { ...run, text: JSON.stringify(run.request) }
}

/** Text that the store wrote: it has the type it was written with. */
export function parsed<T>(text: unknown): T {
  return JSON.parse(String(text))
}
