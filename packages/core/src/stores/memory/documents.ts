import type { Json } from '../../contracts/v1/json.js'
import { parsed } from '../pack.js'
import type { DocumentTable } from '../tables.js'

export function memoryDocuments(): DocumentTable {
  const kinds = new Map<string, Map<string, string>>()
  const counters = new Map<string, number>()
  return {
    get(kind, key) {
      const value = kinds.get(kind)?.get(key)
      return value === undefined ? undefined : parsed<Json>(value)
    },
    put({ kind, key, value, once }) {
      const documents = kinds.get(kind) ?? new Map<string, string>()
      if (once && documents.has(key)) return false
      kinds.set(kind, documents.set(key, value))
      return true
    },
    remove: (kind, key) => kinds.get(kind)?.delete(key) ?? false,
    list: (kind, prefix) =>
      [...(kinds.get(kind) ?? [])]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, value]) => ({ key, value: parsed<Json>(value), bytes: Buffer.from(key) }))
        .sort((one, other) => Buffer.compare(one.bytes, other.bytes)) // text of JavaScript would sort emoji before some letters
        .map(({ key, value }) => ({ key, value })),
    count(counter) {
      const next = (counters.get(counter) ?? 0) + 1
      counters.set(counter, next)
      return next
    },
  }
}
