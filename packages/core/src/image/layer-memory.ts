import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Descriptor } from '../contracts/v1/image.js'
import { openPart } from './durable.js'

/** What layers became when they were compressed; a `Map` will do. Forgetting is harmless: the layer is compressed again. */
export interface LayerMemory {
  get(key: string): Descriptor | undefined | Promise<Descriptor | undefined>
  set(key: string, compressed: Descriptor): unknown
}

const mostEntries = 10_000

/** A memory that lasts, in a JSON file; where that cannot be read it begins anew. Of processes that write at once the last one is kept. */
export function layerMemory(path: string): LayerMemory {
  let written: Promise<unknown> = Promise.resolve()
  return {
    get: async (key) => (await read(path)).get(key),
    set(key, compressed) {
      const next = written.then(async () => write(path, (await read(path)).set(key, compressed)))
      written = next.catch(() => undefined)
      return next
    },
  }
}

async function read(path: string): Promise<Map<string, Descriptor>> {
  try {
    const entries: unknown = JSON.parse(await readFile(path, 'utf8'))
    return new Map(Array.isArray(entries) ? entries.filter(isEntry) : [])
  } catch {
    return new Map()
  }
}

async function write(path: string, entries: Map<string, Descriptor>): Promise<void> {
  const folder = dirname(path)
  await using part = await openPart(folder, async () => void (await mkdir(folder, { recursive: true })))
  await part.write(Buffer.from(JSON.stringify([...entries].slice(-mostEntries))))
  await part.rename(path)
}

function isEntry(value: unknown): value is [string, Descriptor] {
  if (!Array.isArray(value) || typeof value[0] !== 'string') return false
  const { mediaType, digest, size } = Object(value[1])
  return typeof mediaType === 'string' && /^sha256:[0-9a-f]{64}$/.test(digest) && Number.isSafeInteger(size)
}
