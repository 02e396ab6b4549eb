import type { DatabaseSync } from 'node:sqlite'
import type { Json } from '../../contracts/v1/json.js'
import type { DocumentWrite } from '../../contracts/v1/store.js'
import { parsed } from './rows.js'

/** Small JSON values by kind and key. */
export function documentTable(database: DatabaseSync) {
  const get = database.prepare('SELECT value FROM documents WHERE kind = ? AND key = ?')
  const upsert = database.prepare(
    'INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value',
  )
  const insert = database.prepare('INSERT OR IGNORE INTO documents VALUES (?, ?, ?)')
  const list = database.prepare(
    'SELECT key, value FROM documents WHERE kind = ? AND substr(key, 1, length(?)) = ? ORDER BY key',
  )

  return {
    get(kind: string, key: string): Json | undefined {
      const row = get.get(kind, key)
      return row && parsed<Json>(row.value)
    },
    put({ kind, key, value, once }: DocumentWrite): void {
      const statement = once ? insert : upsert
      statement.run(kind, key, JSON.stringify(value))
    },
    list: (kind: string, prefix: string) =>
      list.all(kind, prefix, prefix).map((row) => ({ key: String(row.key), value: parsed<Json>(row.value) })),
  }
}
