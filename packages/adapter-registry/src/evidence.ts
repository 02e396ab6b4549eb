import type { Json } from '@kiwi/core'

/** Evidence of a registry's error, to which something is added. */
export type JsonRecord = { readonly [name: string]: Json }

export function recordOf(evidence: Json | undefined): JsonRecord {
  return isRecord(evidence) ? evidence : {}
}

function isRecord(evidence: Json | undefined): evidence is JsonRecord {
  return typeof evidence === 'object' && evidence !== null && !Array.isArray(evidence)
}
