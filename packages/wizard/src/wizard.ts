import type { Files } from './files.js'
import type { Evidence, Generated, GenerateOptions, Sighting, Stack } from './stack.js'
import type { NodePlan } from './stacks/node/plan.js'
import { type NodeFacts, node } from './stacks/node.js'
import { type PythonFacts, type PythonPlan, python } from './stacks/python.js'
import { type StaticFacts, type StaticPlan, staticSite } from './stacks/static.js'

export interface Detection {
  /** Most likely first; empty when nothing was recognised. */
  readonly candidates: readonly Candidate[]
  /** Recognised, but beyond what the wizard can write. */
  readonly refusals: readonly Refusal[]
  /** What each stack needs to see, to be told when there is no candidate. */
  readonly lookedFor: readonly string[]
}

interface CandidateOf<Name extends string, Facts> {
  readonly stack: Name
  /** 0 to 1; comparable between stacks. */
  readonly confidence: number
  readonly evidence: readonly Evidence[]
  readonly facts: Facts
}

export type Candidate =
  | CandidateOf<'node', NodeFacts>
  | CandidateOf<'python', PythonFacts>
  | CandidateOf<'static', StaticFacts>

export interface Refusal {
  readonly stack: Candidate['stack']
  readonly reason: string
  readonly evidence: readonly Evidence[]
}

/** What to write, decided; plain JSON that may be stored, shown and changed before it is generated. */
export type WizardPlan = NodePlan | PythonPlan | StaticPlan

/** Looks what kind of application the files are. Reads only: nothing is run and nothing is fetched. */
export async function detect(files: Files): Promise<Detection> {
  const seen = await Promise.all([sight(node, files), sight(python, files), sight(staticSite, files)])
  const candidates = seen.flatMap(({ candidates }): readonly Candidate[] => candidates)
  return {
    candidates: candidates.sort((first, second) => second.confidence - first.confidence),
    refusals: seen.flatMap(({ refusals }) => refusals),
    lookedFor: [node, python, staticSite].map(({ lookedFor }) => lookedFor),
  }
}

/** Decides versions, commands, port and user for a candidate, each with its reason. */
export function plan(candidate: Candidate): WizardPlan {
  switch (candidate.stack) {
    case 'node':
      return node.plan(candidate.facts)
    case 'python':
      return python.plan(candidate.facts)
    case 'static':
      return staticSite.plan(candidate.facts)
  }
}

/**
 * Writes the Dockerfile, without features that only BuildKit has, and the `.dockerignore` that goes with it.
 * Throws `UnsuitableBaseImageError` when the base image that was asked for cannot run the stack.
 */
export function generate(plan: WizardPlan, options: GenerateOptions = {}): Generated {
  switch (plan.stack) {
    case 'node':
      return node.generate(plan, options)
    case 'python':
      return python.generate(plan, options)
    case 'static':
      return staticSite.generate(plan, options)
  }
}

async function sight<Name extends Candidate['stack'], Facts, Plan>(
  stack: Stack<Name, Facts, Plan>,
  files: Files,
): Promise<{ candidates: CandidateOf<Name, Facts>[]; refusals: Refusal[] }> {
  const sighting: Sighting<Facts> | undefined = await stack.look(files)
  if (sighting === undefined) return { candidates: [], refusals: [] }
  if (sighting.kind === 'refusal') {
    const { reason, evidence } = sighting
    return { candidates: [], refusals: [{ stack: stack.name, reason, evidence }] }
  }
  const { confidence, evidence, facts } = sighting
  return { candidates: [{ stack: stack.name, confidence, evidence, facts }], refusals: [] }
}
