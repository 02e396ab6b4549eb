import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BuiltImage, Descriptor, Digest } from '@kiwi/core'
import { writeAtomically } from '../layers/index.js'
import { keyOf } from './key.js'

/** What a step made: nothing when it changed no file. */
export interface StepResult {
  readonly layer?: { readonly diffId: Digest; readonly descriptor: Descriptor } | undefined
}

/** What a step was made from, so that the next build can say what changed. */
export interface StepOrigin {
  /** Of the layers below. */
  readonly below: string
  readonly instruction: string
  /** Of the layers of the image that the stage is built on. */
  readonly base?: string | undefined
  /** A hash of each variable and setting that it sees, by what people call it; no value itself. */
  readonly values?: Readonly<Record<string, string>> | undefined
  /** Digest by path of what it copied. */
  readonly files?: Readonly<Record<string, string>> | undefined
}

export type Lineage = Readonly<Record<string, StepOrigin>>

/** Small files under `<directory>/cache`. A file that cannot be read counts as not there: the step is done again. */
export interface StepCache {
  find(key: string): Promise<StepResult | undefined>
  keep(key: string, result: StepResult): Promise<void>
  /** Of the last build of the same thing, by step. */
  lineage(id: string): Promise<Lineage>
  keepLineage(id: string, lineage: Lineage): Promise<void>
  image(operation: string): Promise<BuiltImage | undefined>
  keepImage(operation: string, image: BuiltImage): Promise<void>
}

export function stepCache(directory: string): StepCache {
  const step = (key: string) => join(directory, 'cache', 'steps', key.slice(0, 2), `${key}.json`)
  const lineage = (id: string) => join(directory, 'cache', 'lineages', `${id}.json`)
  const image = (operation: string) => join(directory, 'cache', 'images', `${keyOf(operation)}.json`)
  return {
    find: async (key) => readNow<StepResult>(step(key)),
    keep: (key, result) => writeAtomically(step(key), JSON.stringify(result)),
    lineage: async (id) => (await read<Lineage>(lineage(id))) ?? {},
    keepLineage: (id, steps) => writeAtomically(lineage(id), JSON.stringify(steps)),
    image: (operation) => read<BuiltImage>(image(operation)),
    keepImage: (operation, built) => writeAtomically(image(operation), JSON.stringify(built)),
  }
}

/** A few hundred bytes, once per step: asking the thread pool would take ten times as long. */
function readNow<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T
  } catch {
    return undefined
  }
}

/** Only this module writes there. */
async function read<T>(file: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T
  } catch {
    return undefined
  }
}
