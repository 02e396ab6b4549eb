import type { AdapterPool } from './adapters.js'

/** The adapters of one run: each is the one that it was when the run first asked for it, whatever becomes of its entry. */
export function pinned<Adapter>(pool: AdapterPool<Adapter>): AdapterPool<Adapter> {
  const taken = new Map<string, Promise<Adapter>>()
  return {
    ...pool,
    get(name) {
      const adapter = taken.get(name) ?? pool.get(name)
      taken.set(name, adapter)
      adapter.catch(() => taken.delete(name)) // it may be there the next time
      return adapter
    },
  }
}
