import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { State } from './state.js'

const unusedAfterMs = 3_600_000

/** Made for orders that were never given. A young one may be on its way. */
export async function removeUnused(directory: string, used: ReadonlySet<string>): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  for (const path of names.map((name) => join(directory, name))) {
    const ageMs = Date.now() - (await stat(path)).mtimeMs
    if (!used.has(path) && ageMs > unusedAfterMs) await rm(path, { recursive: true, force: true })
  }
}

/** What was made for the slot as it was ordered. */
export async function removeMade({ slots }: State, id: string): Promise<void> {
  const made = slots.find((slot) => slot.id === id)?.root.made
  if (made !== undefined) await rm(made, { recursive: true, force: true })
}
