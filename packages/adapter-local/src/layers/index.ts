export { isMissing, writeAtomically } from './atomic.js'
export {
  type Healthcheck,
  type HistoryEntry,
  type ImageConfig,
  type ReadImage,
  type RunConfig,
  readImage,
} from './image.js'
export { ancestorsOf, isKeptAttribute, type LayerEntry, type LayerIndex, parentOf } from './layer-index.js'
export { materialise } from './materialise.js'
export { makeScratch, removeLeftovers, type Scratch } from './scratch.js'
export { type Layer, type LayerStore, layerStore, shared } from './store.js'
export type { TarHeader } from './tar/header.js'
export { readUpper, type UpperDiff } from './upper.js'
export { mergedView, resolvePath, type View, type ViewEntry } from './view.js'
export { type LayerPart, type WrittenLayer, writeLayer } from './write.js'
