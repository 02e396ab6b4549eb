import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { Store } from '../contracts/v1/store.js'
import { storeKit } from '../testing/kits/store.js'
import { memoryStore } from './memory/index.js'
import { sqliteStore } from './sqlite/index.js'

describe('the store in memory', () => {
  for (const one of storeKit({ create: async () => memoryStore() })) it(one.name, one.run)
})

describe('the SQLite store', () => {
  let directory: string
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'kiwi-stores-'))
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  const paths = new WeakMap<Store, string>()
  let made = 0
  const open = (path: string): Store => {
    const store = sqliteStore({ path })
    paths.set(store, path)
    return store
  }
  const create = async () => {
    made += 1
    return open(join(directory, `${made}.sqlite`))
  }
  const reopen = async (store: Store) => open(paths.get(store) ?? '')
  for (const one of storeKit({ create, reopen })) it(one.name, one.run)
})
