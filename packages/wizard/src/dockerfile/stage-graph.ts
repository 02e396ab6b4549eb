import { DockerfileSyntaxError } from './errors.js'
import { expand, type Variables } from './expand.js'
import type { Dockerfile, Instruction, Stage } from './types.js'

/** What FROM or a `from` names. */
export type StageReference =
  | { readonly kind: 'stage'; readonly index: number }
  | { readonly kind: 'image'; readonly reference: string }
  | { readonly kind: 'scratch' }

export interface StagePlan {
  /** The stages the target needs, each after all it needs; the target is last. */
  readonly stages: readonly PlannedStage[]
  readonly target: PlannedStage
  /** Global ARGs with build arguments applied: what a bare `ARG NAME` inside a stage takes its default from. */
  readonly globalArgs: Readonly<Record<string, string>>
}

export interface PlannedStage {
  readonly stage: Stage
  readonly base: StageReference
  /** Expanded; undefined when FROM does not say. */
  readonly platform?: string | undefined
  /** By what `COPY --from` and `RUN --mount=from` say, as written. */
  readonly references: Readonly<Record<string, StageReference>>
}

export interface StageGraphOptions {
  /** Stage name or index; default: the last stage. */
  readonly target?: string | undefined
  /** Build arguments; they replace the defaults of global ARGs. */
  readonly args?: Readonly<Record<string, string>> | undefined
  /** Variables that FROM sees without an ARG: TARGETPLATFORM and its like. */
  readonly predefined?: Readonly<Record<string, string>> | undefined
}

/** Finds the stages a target needs, with every reference resolved and unused stages left out. Throws `DockerfileSyntaxError`. */
export function stageGraph(
  dockerfile: Dockerfile,
  { target, args = {}, predefined = {} }: StageGraphOptions = {},
): StagePlan {
  const globalArgs = expandGlobalArgs(dockerfile, args, predefined)
  const variables: Variables = (name) =>
    globalArgs[name] ?? (Object.hasOwn(predefined, name) ? predefined[name] : undefined)
  const all = dockerfile.stages.map((stage) => planStage(dockerfile, stage, variables))
  const last = findTarget(dockerfile, target)
  const stages = order(all, last.index)
  const planned = stages.at(-1)
  if (planned === undefined) throw new TypeError('a target is always in its own order')
  return { stages, target: planned, globalArgs }
}

function expandGlobalArgs(
  { globalArgs, escape: escapeCharacter }: Dockerfile,
  args: Readonly<Record<string, string>>,
  predefined: Readonly<Record<string, string>>,
): Record<string, string> {
  const values: Record<string, string> = Object.create(null)
  const variables: Variables = (name) =>
    values[name] ?? (Object.hasOwn(predefined, name) ? predefined[name] : undefined)
  for (const { pairs, line } of globalArgs) {
    for (const { name, value } of pairs) {
      const given = Object.hasOwn(args, name) ? args[name] : undefined
      const effective =
        given ?? (value === undefined ? undefined : expand(value, variables, { escape: escapeCharacter, line }))
      if (effective !== undefined) values[name] = effective
    }
  }
  return values
}

function planStage(dockerfile: Dockerfile, stage: Stage, variables: Variables): PlannedStage {
  const options = { escape: dockerfile.escape, line: stage.line }
  const base = expand(stage.base, variables, options)
  if (base === '') {
    throw syntaxError(
      stage.line,
      `FROM ${stage.base} is empty once expanded`,
      'Give the ARG a default, or pass it to the build.',
    )
  }
  const platform = stage.platform === undefined ? undefined : expand(stage.platform, variables, options) || undefined
  const resolvedBase = resolve(base, dockerfile.stages.slice(0, stage.index))
  const inherited = resolvedBase.kind === 'stage' ? triggers(dockerfile.stages[resolvedBase.index]) : []
  const froms = [...inherited, ...stage.instructions].flatMap((instruction) => fromsOf(instruction))
  const references = Object.fromEntries(froms.map(({ from, line }) => [from, resolveFrom(dockerfile, from, line)]))
  return { stage, base: resolvedBase, platform, references }
}

/** What the `ONBUILD`s of a stage run in a stage built on it. */
function triggers(stage: Stage | undefined): Instruction[] {
  return (stage?.instructions ?? []).flatMap((instruction) =>
    instruction.keyword === 'ONBUILD' ? [instruction.trigger] : [],
  )
}

function fromsOf(instruction: Instruction): { from: string; line: number }[] {
  const { line } = instruction
  if (instruction.keyword === 'COPY') return instruction.from === undefined ? [] : [{ from: instruction.from, line }]
  if (instruction.keyword !== 'RUN') return []
  return instruction.mounts.flatMap(({ from }) => (from === undefined || from === '' ? [] : [{ from, line }]))
}

/** A number is a stage's index; a name may be of any stage, even a later one; else it is an image. */
function resolveFrom({ stages }: Dockerfile, from: string, line: number): StageReference {
  if (!/^\d+$/.test(from)) return resolve(from, stages)
  if (Number(from) < stages.length) return { kind: 'stage', index: Number(from) }
  throw syntaxError(line, `there is no stage ${from}`, `Stages are ${describe(stages)}.`)
}

function resolve(name: string, stages: readonly Stage[]): StageReference {
  const stage = stages.findLast((candidate) => candidate.name === name.toLowerCase())
  if (stage !== undefined) return { kind: 'stage', index: stage.index }
  return name === 'scratch' ? { kind: 'scratch' } : { kind: 'image', reference: name }
}

function findTarget({ stages }: Dockerfile, target: string | undefined): Stage {
  const named = stages.findLast(({ name }) => name !== undefined && name === target?.toLowerCase())
  const stage =
    target === undefined ? stages.at(-1) : (named ?? (/^\d+$/.test(target) ? stages[Number(target)] : undefined))
  if (stage !== undefined) return stage
  throw syntaxError(1, `there is no stage ${JSON.stringify(target)}`, `Stages are ${describe(stages)}.`)
}

function describe(stages: readonly Stage[]): string {
  return stages.map(({ index, name }) => (name === undefined ? `${index}` : `${name} (${index})`)).join(', ')
}

/** Depth first, so that a stage comes after all it needs; else in the order of the file. */
function order(all: readonly PlannedStage[], target: number): PlannedStage[] {
  const done = new Set<PlannedStage>()
  const visit = (index: number, path: readonly number[]): void => {
    const planned = all[index]
    if (planned === undefined || done.has(planned)) return
    if (path.includes(index)) {
      const names = [...path, index].map((step) => all[step]?.stage.name ?? step)
      throw syntaxError(
        planned.stage.line,
        `stages need each other: ${names.join(' → ')}`,
        'Break the circle of FROM and --from.',
      )
    }
    const needed = [planned.base, ...Object.values(planned.references)]
    const indices = needed.flatMap((reference) => (reference.kind === 'stage' ? [reference.index] : []))
    for (const next of indices.sort((first, second) => first - second)) visit(next, [...path, index])
    done.add(planned)
  }
  visit(target, [])
  return [...done]
}

function syntaxError(line: number, message: string, hint: string): DockerfileSyntaxError {
  return new DockerfileSyntaxError(message, { line, column: 1, hint })
}
