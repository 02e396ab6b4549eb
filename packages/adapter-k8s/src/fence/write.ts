import type { Context } from '@kiwi/core'
import type { V1ObjectMeta } from '@kubernetes/client-node'
import { moved, refused } from '../errors.js'
import { annotations } from '../objects/names.js'
import type { Answer, Ask, Client } from '../transport/client.js'

/**
 * Makes one write. Resolves when it was accepted or when its precondition did not hold (ask `moved`), or with one of the
 * statuses that are `expected`; rejects on every other refusal.
 */
export async function write(
  client: Client,
  asked: Ask,
  context: Context,
  expected: readonly number[] = [],
): Promise<Answer> {
  const answer = await client.ask({ ...asked, query: { fieldManager: 'kiwi', ...asked.query } }, context.signal)
  if (answer.status < 300 || moved(answer) || expected.includes(answer.status)) return answer
  throw refused(answer, asked)
}

/**
 * Changes exactly the object that was read, in the state it was read in, or nothing. Where `tests` are given they say what must
 * still be so, instead of the whole state (its status moves all the time).
 */
export function jsonPatch(
  path: string,
  { metadata }: Meta,
  changes: readonly object[],
  tests?: readonly object[],
): Ask {
  const state = [{ op: 'test', path: '/metadata/resourceVersion', value: metadata?.resourceVersion }]
  const uid = { op: 'test', path: '/metadata/uid', value: metadata?.uid }
  const body = [uid, ...(tests ?? state), ...changes]
  return { method: 'PATCH', path, body, contentType: 'application/json-patch+json' }
}

/** Writes the token, also where there are no annotations yet. */
export function tokenPatch({ metadata }: Meta, token: number): object[] {
  const none = metadata?.annotations === undefined ? [{ op: 'add', path: '/metadata/annotations', value: {} }] : []
  return [...none, { op: 'add', path: tokenPath, value: String(token) }]
}

export const tokenPath = `/metadata/annotations/${annotations.token.replace('/', '~1')}`

interface Meta {
  readonly metadata?: V1ObjectMeta
}
