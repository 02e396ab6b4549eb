export { type TestContext, testContext } from './context.js'
export {
  type Fault,
  type FaultedCall,
  type FaultOptions,
  type FaultScript,
  randomFaults,
  withFaults,
} from './faults.js'
export { type BuilderKitOptions, builderKit } from './kits/builder.js'
export { type ClockKitOptions, clockKit } from './kits/clock.js'
export { type ImageEnds, type ImageEndsKitOptions, imageEndsKit } from './kits/image-ends.js'
export type { KitCase } from './kits/kit.js'
export { type RegistryKitOptions, registryKit } from './kits/registry.js'
export {
  type KitPrograms,
  kitVariables,
  nodePrograms,
  type RuntimeKitOptions,
  runtimeKit,
  shellPrograms,
} from './kits/runtime/index.js'
export { type KitCommit, type SourceKitOptions, sourceKit } from './kits/source.js'
export type { StoreKitOptions } from './kits/store/case.js'
export { storeKit } from './kits/store.js'
export { type TriggerKitOptions, triggerKit } from './kits/trigger.js'
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
export { type RandomImage, randomImage } from './random-image.js'
export { type TestClock, type TestClockOptions, testClock } from './test-clock.js'
