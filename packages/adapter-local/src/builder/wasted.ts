import type { WastedBytes } from '@kiwi/core'
import { ancestorsOf, type LayerIndex } from '../layers/index.js'

const mostNamed = 10

/** What later layers remove or overwrite, counted from the layers' indices, lowest first. */
export function wastedBytes(
  layers: readonly { readonly index: LayerIndex; readonly instruction: string }[],
): WastedBytes {
  const seen = new Map<string, number>()
  const hidden: { path: string; bytes: number; by: string }[] = []
  const hide = (path: string, by: string) => {
    const bytes = seen.get(path) ?? 0
    seen.delete(path)
    if (bytes > 0) hidden.push({ path, bytes, by })
  }
  for (const { index, instruction } of layers) {
    if (index.whiteouts.size + index.opaque.size > 0) {
      for (const path of seen.keys()) if (isRemoved(index, path)) hide(path, instruction)
    }
    for (const [path, { type, size }] of index.entries) {
      if (type === 'directory') continue
      hide(path, instruction)
      if (type === 'file') seen.set(path, size)
    }
  }
  const largest = hidden.toSorted((one, other) => other.bytes - one.bytes).slice(0, mostNamed)
  return { bytes: hidden.reduce((sum, { bytes }) => sum + bytes, 0), largest }
}

function isRemoved({ whiteouts, opaque }: LayerIndex, path: string): boolean {
  return whiteouts.has(path) || ancestorsOf(path).some((above) => whiteouts.has(above) || opaque.has(above))
}
