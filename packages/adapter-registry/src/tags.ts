import { type Context, KiwiError } from '@kiwi/core'
import type { Client } from './client.js'
import { nextPage } from './link.js'
import { isTag } from './names.js'
import { statusOf } from './retry.js'
import { pullScope } from './scopes.js'

/** As many as the strictest registry (ECR) gives at a time. */
const pageSize = 1000
/** Registries that know no pages send all at once. */
const limitBytes = 32 * 1024 * 1024
const maximumPages = 10_000

/** All tags of a repository, each once, in the registry's order, read page by page as they are taken. Empty for one that is not there. */
export async function* listTags(client: Client, repository: string, context: Context): AsyncGenerator<string> {
  const seen = new Set<string>()
  const asked = new Set<string>()
  let to: string | undefined = `/v2/${client.endpoint.repository(repository)}/tags/list?n=${pageSize}`
  while (to !== undefined) {
    if (asked.has(to) || asked.size === maximumPages) throw endless(client, repository)
    asked.add(to)
    const page: Page | undefined = await readPage(client, repository, to, context)
    if (!page) return
    const fresh = page.tags.filter((tag) => !seen.has(tag) && isTag(tag))
    for (const tag of fresh) seen.add(tag)
    yield* fresh
    to = page.next ?? (fresh.length > 0 ? afterFull(to, page.tags) : undefined)
  }
}

interface Page {
  readonly tags: readonly string[]
  readonly next: string | undefined
}

/** `undefined`: nobody pushed to it yet. */
async function readPage(client: Client, repository: string, to: string, context: Context): Promise<Page | undefined> {
  const { endpoint } = client
  const name = endpoint.repository(repository)
  const doing = `list the tags of ${endpoint.host}/${name}`
  try {
    const call = { method: 'GET', to, scopes: [pullScope(name)], expect: [200], doing } as const
    const { answer, bytes } = await client.read(call, limitBytes, context)
    return { tags: parseTags(bytes, doing, endpoint.host), next: nextPage(answer) }
  } catch (error) {
    if (statusOf(error) === 404 && KiwiError.from(error).code === 'MANIFEST_UNKNOWN') return undefined
    throw error
  }
}

/** Some registries say `null` of a repository whose tags were all removed. */
function parseTags(bytes: Uint8Array, doing: string, host: string): readonly string[] {
  try {
    const tags: unknown = JSON.parse(new TextDecoder().decode(bytes)).tags ?? []
    if (Array.isArray(tags)) return tags.filter((tag) => typeof tag === 'string')
  } catch {}
  throw new KiwiError('REGISTRY_FAILED', `cannot ${doing}: the answer is no list of tags`, { evidence: { host } })
}

/** A full page without a link may not be the last: registries of before the link understand `last`. */
function afterFull(to: string, tags: readonly string[]): string | undefined {
  const last = tags.at(-1)
  if (tags.length !== pageSize || last === undefined) return undefined
  const [path = to] = to.split('?')
  return `${path}?n=${pageSize}&last=${encodeURIComponent(last)}`
}

function endless({ endpoint: { host } }: Client, repository: string): KiwiError {
  return new KiwiError('REGISTRY_FAILED', `the pages of tags of ${host}/${repository} have no end`, {
    retryable: false,
    evidence: { host },
  })
}
