export { chooseIsolation, type FoundIsolation, type Isolation, missingTools } from './choose.js'
export type { BuildOnlyMount, OnOutput, StepCommand, StepExit, StepNetwork, StepUser } from './command.js'
export { type NamespacedStep, runInNamespaces } from './namespaces.js'
export { type PlainStep, runPlain } from './plain.js'
