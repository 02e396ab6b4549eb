import type { DatabaseSync } from 'node:sqlite'
import type { Json } from '../../contracts/v1/json.js'
import { parsed } from '../pack.js'
import type { DocumentTable } from '../tables.js'
import type { Row } from './rows.js'

/** Small JSON values by kind and key, and the counters. */
export function documentTable(database: DatabaseSync): DocumentTable {
  const get = database.prepare('SELECT value FROM documents WHERE kind = ? AND key = ?')
  const upsert = database.prepare(
    'INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value',
  )
  const insert = database.prepare('INSERT OR IGNORE INTO documents VALUES (?, ?, ?)')
  const remove = database.prepare('DELETE FROM documents WHERE kind = ? AND key = ?')
  const from = database.prepare('SELECT key, value FROM documents WHERE kind = ? AND key >= ? ORDER BY key')
  const between = database.prepare(
    'SELECT key, value FROM documents WHERE kind = ? AND key >= ? AND key < ? ORDER BY key',
  )
  const count = database.prepare(
    'INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value',
  )

  return {
    get(kind, key) {
      const row = get.get(kind, key)
      return row && parsed<Json>(row.value)
    },
    put: ({ kind, key, value, once }) => (once ? insert : upsert).run(kind, key, value).changes !== 0,
    remove: (kind, key) => remove.run(kind, key).changes !== 0,
    list(kind, prefix) {
      const end = endOf(prefix)
      return (end === '' ? from.all(kind, prefix) : between.all(kind, prefix, end)).map(toEntry)
    },
    count: (counter) => Number(count.get(counter)?.value),
  }
}

/** The first text after all that begin with the prefix, in the order of their bytes; '' when there is none. */
export function endOf(prefix: string): string {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  while (points.at(-1) === 0x10ffff) points.pop()
  const last = points.pop()
  if (last === undefined) return ''
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
}

function toEntry(row: Row): { key: string; value: Json } {
  return { key: String(row.key), value: parsed<Json>(row.value) }
}
