import type { Context } from '@kiwi/core'
import type { Client } from './client.js'
import { listTags } from './tags.js'

const maximumTags = 2000
const withinMs = 5000
const maximumAnswers = 3

/** Up to three tags that somebody may have meant, the nearest first. Looks at 2,000 for 5 s at most, and answers none rather than fail. */
export async function nearestTags(
  client: Client,
  { repository, reference }: { readonly repository: string; readonly reference: string },
  context: Context,
): Promise<readonly string[]> {
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(withinMs)])
  const tags: string[] = []
  try {
    for await (const tag of listTags(client, repository, { ...context, signal }))
      if (tags.push(tag) === maximumTags) break
  } catch {
    context.signal.throwIfAborted() // whatever else it is: what came before it is still of use
  }
  return nearest(reference, tags)
}

/** Those that differ in less than half of what was asked for. */
export function nearest(wanted: string, tags: readonly string[]): readonly string[] {
  const limit = Math.max(2, Math.floor(wanted.length / 2))
  return tags
    .map((tag) => ({ tag, distance: distance(wanted, tag, limit) }))
    .filter((one) => one.distance <= limit)
    .sort((one, other) => one.distance - other.distance || (one.tag < other.tag ? -1 : 1))
    .slice(0, maximumAnswers)
    .map(({ tag }) => tag)
}

/** Levenshtein's; more than `limit` may come out as any larger number. */
function distance(from: string, to: string, limit: number): number {
  if (Math.abs(from.length - to.length) > limit) return limit + 1
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let index = 0; index < from.length; index++) {
    const next = [index + 1]
    for (let other = 0; other < to.length; other++) {
      const replaced = (row[other] ?? 0) + (from[index] === to[other] ? 0 : 1)
      next.push(Math.min(replaced, (row[other + 1] ?? 0) + 1, (next[other] ?? 0) + 1))
    }
    if (Math.min(...next) > limit) return limit + 1
    row = next
  }
  return row[to.length] ?? limit + 1
}
