import type { Context, ReportedStep, StepEndedFact } from '@kiwi/core'

/** How a step came to its result; for one that makes no files neither is there. */
export type StepNote = Pick<StepEndedFact, 'cachedFrom' | 'missedBecause'>

export interface StepReporter {
  /** Runs one step between its two facts; the end is reported also when it fails. */
  run(step: PlacedStep, work: () => Promise<StepNote>): Promise<void>
  /** Steps that make files: all, and those that a cache had. */
  readonly counts: { readonly total: number; readonly cached: number }
  /** All that have ended well, in the order of the Dockerfile. */
  ended(): ReportedStep[]
}

export interface PlacedStep {
  readonly id: string
  /** From 0, in the order of the stages; steps of several stages run at once. */
  readonly index: number
  readonly text: string
}

export function stepReporter(context: Context, total: number): StepReporter {
  const counts = { total: 0, cached: 0 }
  const rows: ReportedStep[] = []
  return {
    counts,
    ended: () => rows.flatMap((row) => row ?? []),
    async run({ id: step, index, text }, work) {
      context.signal.throwIfAborted()
      context.report({ type: 'step-started', step, index, total, text })
      const started = performance.now()
      let note: StepNote = {}
      try {
        note = await work()
      } finally {
        const durationMs = Math.round(performance.now() - started)
        context.report({ type: 'step-ended', step, durationMs, ...note })
      }
      rows[index] = { step, instruction: text, durationMs: Math.round(performance.now() - started), ...note }
      if (note.cachedFrom !== undefined) counts.cached += 1
      if (note.cachedFrom !== undefined || note.missedBecause !== undefined) counts.total += 1
    },
  }
}
