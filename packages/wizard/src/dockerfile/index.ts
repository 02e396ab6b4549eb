export { DockerfileSyntaxError, type Position } from './errors.js'
export { type ExpandOptions, expand, expandHeredoc, expandWords, type Variables } from './expand.js'
export { stripTabs } from './heredoc.js'
export { parseDockerfile, parseInstruction } from './parse.js'
export { type RunCommand, runCommand } from './run.js'
export {
  type PlannedStage,
  type StageGraphOptions,
  type StagePlan,
  type StageReference,
  stageGraph,
} from './stage-graph.js'
export type {
  AddInstruction,
  ArgInstruction,
  CommandForm,
  CommandInstruction,
  CopyInstruction,
  Directives,
  Dockerfile,
  EnvInstruction,
  EscapeCharacter,
  ExposeInstruction,
  HealthcheckInstruction,
  Heredoc,
  Instruction,
  Keyword,
  LabelInstruction,
  MaintainerInstruction,
  OnbuildInstruction,
  Pair,
  Problem,
  RunInstruction,
  RunMount,
  ShellInstruction,
  Stage,
  StopsignalInstruction,
  UserInstruction,
  VolumeInstruction,
  WorkdirInstruction,
} from './types.js'
