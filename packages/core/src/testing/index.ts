export { type TestContext, testContext } from './context.js'
export { memoryBuilder, memoryRegistry } from './memory-adapters.js'
export { type MemoryImages, memoryImages } from './memory-image.js'
export { type MemoryRuntime, memoryRuntime } from './memory-runtime.js'
