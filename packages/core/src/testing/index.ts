export { type TestContext, testContext } from './context.js'
export { memoryBuilder, memoryRegistry } from './memory-adapters.js'
export { type MemoryImages, memoryImages } from './memory-image.js'
export {
  type Fate,
  type MemoryRuntime,
  type MemoryRuntimeOptions,
  memoryRuntime,
  type TaskFate,
} from './memory-runtime/index.js'
