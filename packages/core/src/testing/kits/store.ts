import type { KitCase } from './kit.js'
import { type StoreKitOptions, storeCase } from './store/case.js'
import { commandCases } from './store/commands.js'
import { commitCases } from './store/commits.js'
import { documentCases } from './store/documents.js'
import { feedCases } from './store/feed.js'
import { leaseCases } from './store/leases.js'
import { runCases } from './store/runs.js'
import { sharedCases } from './store/shared.js'

/**
 * What the contract says of a store, as cases for any test runner. `create` makes an empty one for each case, which is closed afterwards.
 * @example for (const one of storeKit({ create: async () => memoryStore() })) it(one.name, one.run)
 */
export function storeKit(options: StoreKitOptions): readonly KitCase[] {
  const all = [...runCases, ...leaseCases, ...commitCases, ...commandCases, ...feedCases, ...documentCases]
  const { reopen } = options
  const shared = reopen ? sharedCases.map((one) => ({ ...one, check: one.check(reopen) })) : []
  return [...all, ...shared].map(({ name, check }) => storeCase(name, check, options))
}
