import { adviseBuild, type BuildReport, type ReportedStep } from '@kiwi/core'
import type { LayerEntry } from '../layers/index.js'
import type { Draft } from './draft.js'
import { settledHistory } from './history.js'
import type { Session } from './session.js'
import { wastedBytes } from './wasted.js'

/** What the image is made of, what it cost, and what would make it better. */
export async function reportOf(
  { workshop, context: { signal } }: Session,
  draft: Draft,
  { steps, base }: { readonly steps: readonly ReportedStep[]; readonly base: string | undefined },
): Promise<BuildReport> {
  const told = settledHistory(draft.history, draft.layers.length).filter(({ empty_layer: empty }) => empty !== true)
  const layers = await Promise.all(
    draft.layers.map(async (layer, number) => ({
      layer,
      index: await workshop.layers.known(layer, signal),
      instruction: told[number]?.created_by ?? told[number]?.comment ?? '',
      isOfBase: number < draft.baseLayers,
    })),
  )
  const rows = layers.map(({ layer: { descriptor }, index, instruction, isOfBase }) => {
    const files = index && [...index.entries.values()].filter(({ type }) => type === 'file')
    const unpacked = files && { unpackedBytes: bytesOf(files), files: files.length }
    return { digest: descriptor.digest, sizeBytes: descriptor.size, ...unpacked, instruction, isOfBase }
  })
  const known = layers.flatMap(({ index, ...more }) => (index === undefined ? [] : [{ ...more, index }]))
  const figures = {
    sizeBytes: rows.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    layers: rows,
    steps,
    wasted: wastedBytes(known),
  }
  return { ...figures, advice: adviseBuild({ ...figures, base, bulk: bulkOf(known.filter((one) => !one.isOfBase)) }) }
}

function bytesOf(files: readonly LayerEntry[]): number {
  return files.reduce((sum, { size }) => sum + size, 0)
}

/** Where package managers and compilers keep what an application does not need. */
const caches =
  /^(?:root\/\.(?:npm|cache|m2|gradle|cargo\/registry)|usr\/local\/share\/\.cache|usr\/local\/cargo\/registry|go\/pkg\/mod|var\/cache\/apt|var\/lib\/apt\/lists)(?=\/)/

function bulkOf(
  layers: readonly {
    readonly index: { readonly entries: ReadonlyMap<string, LayerEntry> }
    readonly instruction: string
  }[],
): Record<string, number> {
  const sums = new Map<string, number>()
  for (const { index, instruction } of layers) {
    const isCopied = /^(?:COPY|ADD) (?!--from)/i.test(instruction)
    for (const { path, type, size } of index.entries.values()) {
      if (type !== 'file') continue
      const copied = isCopied ? /(?:^|\/)(\.git|node_modules)\//.exec(path)?.[1] : undefined
      const cache = caches.exec(path)?.[0]
      const name = copied ?? (cache === undefined ? undefined : `/${cache}`)
      if (name !== undefined) sums.set(name, (sums.get(name) ?? 0) + size)
    }
  }
  return Object.fromEntries(sums)
}
