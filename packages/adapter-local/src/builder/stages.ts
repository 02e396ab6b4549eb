import type { Context } from '@kiwi/core'
import type { Draft } from './draft.js'
import type { Session } from './session.js'
import { buildStage, type ReadyStage } from './stage.js'
import { type StepReporter, stepReporter } from './steps.js'

/**
 * Each stage begins when those that it needs are done; the others run beside it. What fails first ends the rest, and is what the build
 * rejects with. The image is the same as if one stage followed the other.
 */
export async function buildStages(session: Session, stages: readonly ReadyStage[]): Promise<StepReporter> {
  const total = stages.reduce((sum, stage) => sum + stepsOf(stage), 0)
  const steps = stepReporter(session.context, total)
  const running = new Map<number, Promise<Draft>>()
  let failure: { readonly error: unknown } | undefined
  const run = async (stage: ReadyStage) => {
    await Promise.all(neededBy(stage).map((index) => running.get(index)))
    const draft = await buildStage(session, stage, steps)
    session.drafts.set(stage.planned.stage.index, draft)
    return draft
  }
  for (const stage of stages) {
    const draft = run(stage).catch((error: unknown) => {
      failure ??= { error }
      session.stop.abort(error)
      throw error
    })
    running.set(stage.planned.stage.index, draft)
  }
  // All of them have ended before anything is told: nothing writes into a build that is over.
  await Promise.allSettled(running.values())
  if (failure !== undefined) throw failure.error
  return steps
}

/** FROM, what the base adds, and the stage's own. */
export function stepsOf({ planned, triggers }: Omit<ReadyStage, 'firstStep'>): number {
  return 1 + triggers.length + planned.stage.instructions.length
}

/** The same context with a signal that fires also when `stop` does. */
export function stoppable(context: Context, stop: AbortController): Context {
  return {
    signal: AbortSignal.any([context.signal, stop.signal]),
    operation: context.operation,
    secret: (reference, use) => context.secret(reference, use),
    report: (fact) => context.report(fact),
    output: (bytes, at) => context.output(bytes, at),
  }
}

/** Stages come after those they need, so each of these runs already. */
function neededBy({ planned: { base, references } }: ReadyStage): number[] {
  return [base, ...Object.values(references)].flatMap((reference) =>
    reference.kind === 'stage' ? [reference.index] : [],
  )
}
