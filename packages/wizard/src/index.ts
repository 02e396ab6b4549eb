export { directory } from './directory.js'
export { type Files, memory } from './files.js'
export {
  type Choice,
  type Evidence,
  type Found,
  type Generated,
  type GenerateOptions,
  UnsuitableBaseImageError,
} from './stack.js'
export type { NodePlan } from './stacks/node/plan.js'
export type { NodeFacts } from './stacks/node.js'
export type { PythonFacts, PythonPlan } from './stacks/python.js'
export type { StaticFacts, StaticPlan } from './stacks/static.js'
export { type Candidate, type Detection, detect, generate, plan, type Refusal, type WizardPlan } from './wizard.js'
