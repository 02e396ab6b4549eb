export { type IgnoreJudgement, type IgnoreRules, readIgnore } from './ignore.js'
export type { ContextFile, ContextOptions, PackOptions } from './options.js'
export { contextDigest, contextDockerfile, contextFiles, packContext } from './pack.js'
