export { type TestContext, testContext } from './context.js'
export {
  type Fault,
  type FaultedCall,
  type FaultOptions,
  type FaultScript,
  randomFaults,
  withFaults,
} from './faults.js'
export type { KitCase } from './kits/kit.js'
export {
  type KitPrograms,
  kitVariables,
  nodePrograms,
  type RuntimeKitOptions,
  runtimeKit,
  shellPrograms,
} from './kits/runtime/index.js'
export { type MemoryBuilder, type MemoryBuilderOptions, memoryBuilder } from './memory-builder.js'
export { type MemoryImages, memoryImages } from './memory-image.js'
export { type MemoryRegistry, memoryRegistry } from './memory-registry.js'
export {
  type Fate,
  type MemoryRuntime,
  type MemoryRuntimeOptions,
  memoryRuntime,
  type TaskFate,
} from './memory-runtime/index.js'
export { type MemoryFiles, type MemorySource, memorySource } from './memory-source.js'
export { type MemoryTrigger, memoryTrigger } from './memory-trigger.js'
export { type TestClock, type TestClockOptions, testClock } from './test-clock.js'
