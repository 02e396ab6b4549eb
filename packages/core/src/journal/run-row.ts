import type { RunRow } from '../contracts/v1/store.js'

/** It has not ended yet. */
export function isOpen({ status }: RunRow): boolean {
  return status === 'accepted' || status === 'running'
}
