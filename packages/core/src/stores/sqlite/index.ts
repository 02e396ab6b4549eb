import type { Store } from '../../contracts/v1/store.js'
import { openDatabase } from './open.js'
import { storeOn } from './store-on.js'

/**
 * A store in one SQLite file, for the processes of one host (`node:sqlite`, WAL). What a promise has resolved for is on the disk, also after a
 * power cut. A file of an earlier version of Kiwi is brought up to this one. Throws `STORE_FAILED` when the file cannot be opened or a newer
 * version of Kiwi wrote it.
 * @example const store = sqliteStore({ path: '/var/lib/kiwi/kiwi.sqlite' })
 */
export function sqliteStore({ path }: { readonly path: string }): Store {
  return storeOn(openDatabase(path), path)
}
