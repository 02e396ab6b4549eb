export type { BuildOnlyMount, OnOutput, StepCommand, StepExit, StepUser } from './command.js'
export { type NamespacedStep, runInNamespaces } from './namespaces.js'
