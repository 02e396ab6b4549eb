export { type LocalBuilderOptions, localBuilder } from './builder/index.js'
export { createEmbeddedKiwi, type EmbeddedKiwi, type EmbeddedKiwiOptions } from './embedded.js'
export { type LocalRuntime, type LocalRuntimeOptions, localRuntime } from './runtime/index.js'
