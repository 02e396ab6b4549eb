export type { Isolation } from '../isolation/index.js'
export { type LocalBuilderOptions, localBuilder } from './local-builder.js'
