import { type Instruction, type PlannedStage, parseInstruction } from '@kiwi/wizard/dockerfile'
import { configure } from './configure.js'
import { copyStep } from './copy-step.js'
import { type Draft, draftAfter, draftFrom, emptyDraft } from './draft.js'
import { historyOf } from './history.js'
import { runStep } from './run-step.js'
import type { Session } from './session.js'
import type { StepNote, StepReporter } from './steps.js'
import { workdirStep } from './workdir-step.js'

/** A stage with the instructions that its base adds. */
export interface ReadyStage {
  readonly planned: PlannedStage
  readonly triggers: readonly Instruction[]
  /** Index of its first step. */
  readonly firstStep: number
}

/** Instruction by instruction, with FROM as the first step. */
export async function buildStage(session: Session, stage: ReadyStage, steps: StepReporter): Promise<Draft> {
  const { planned, triggers, firstStep } = stage
  const idOf = stepIds(session, planned)
  let draft = emptyDraft()
  await steps.run({ id: idOf(1), index: firstStep, text: planned.stage.text }, async () => {
    draft = await beginning(session, planned)
    return {}
  })
  const instructions = [...triggers, ...planned.stage.instructions]
  const lastRun = instructions.findLastIndex(({ keyword }) => keyword === 'RUN')
  for (const [index, instruction] of instructions.entries()) {
    const id = idOf(index + 2)
    draft.willRun = index <= lastRun
    await steps.run({ id, index: firstStep + index + 1, text: instruction.text }, () =>
      oneStep(session, draft, { id, instruction, stage: planned }),
    )
  }
  return draft
}

/** What `ONBUILD` in the base adds; known before the first step, for the count. */
export async function triggersOf(session: Session, { base }: PlannedStage): Promise<Instruction[]> {
  if (base.kind === 'image') {
    const { config } = (await session.image(base.reference)).config
    return (config?.OnBuild ?? []).map(parseInstruction)
  }
  const instructions = base.kind === 'stage' ? session.dockerfile.stages[base.index]?.instructions : undefined
  return (instructions ?? []).flatMap((instruction) => (instruction.keyword === 'ONBUILD' ? [instruction.trigger] : []))
}

/** A number in a Dockerfile of one stage; with more, the stage's name before it. */
function stepIds({ plan }: Session, { stage }: PlannedStage): (number: number) => string {
  const name = stage.name ?? String(stage.index)
  return (number) => (plan.stages.length === 1 ? String(number) : `${name}/${number}`)
}

async function beginning(session: Session, { base }: PlannedStage): Promise<Draft> {
  if (base.kind === 'image') {
    const image = await session.image(base.reference)
    return draftFrom(image.config, image.layers)
  }
  const earlier = base.kind === 'stage' ? session.drafts.get(base.index) : undefined
  return earlier === undefined ? draftFrom({}, []) : draftAfter(earlier)
}

interface Step {
  readonly id: string
  readonly instruction: Instruction
  readonly stage: PlannedStage
}

async function oneStep(session: Session, draft: Draft, { id, instruction, stage }: Step): Promise<StepNote> {
  const before = draft.layers.length
  const note = await doStep(session, draft, { id, instruction, stage })
  const { createdAtSeconds } = session.request
  draft.history.push(historyOf(instruction, draft, { hasLayer: draft.layers.length > before, createdAtSeconds }))
  return note
}

async function doStep(session: Session, draft: Draft, { id, instruction, stage }: Step): Promise<StepNote> {
  if (instruction.keyword === 'RUN') return runStep(session, draft, { id, instruction, stage })
  if (instruction.keyword === 'COPY' || instruction.keyword === 'ADD') {
    return copyStep(session, draft, { id, instruction, stage })
  }
  configure(draft, instruction, { escapeCharacter: session.dockerfile.escape, values: session.values })
  return instruction.keyword === 'WORKDIR' ? workdirStep(session, draft, { id, instruction }) : {}
}
