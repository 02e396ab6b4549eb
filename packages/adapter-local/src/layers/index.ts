export {
  type Healthcheck,
  type HistoryEntry,
  type ImageConfig,
  type ReadImage,
  type RunConfig,
  readImage,
} from './image.js'
export type { LayerEntry, LayerIndex } from './layer-index.js'
export { materialise } from './materialise.js'
export { makeScratch, removeLeftovers, type Scratch } from './scratch.js'
export { type Layer, type LayerStore, layerStore } from './store.js'
export { mergedView, type View, type ViewEntry } from './view.js'
