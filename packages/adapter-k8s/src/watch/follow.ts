import { setTimeout as sleep } from 'node:timers/promises'
import { KiwiError } from '@kiwi/core'
import { refused } from '../errors.js'
import type { Client, Query } from '../transport/client.js'

export interface Collection {
  readonly path: string
  /** Selectors. */
  readonly query: Query
}

export interface FollowOptions<T> {
  readonly signal: AbortSignal
  /** Called with all objects after the first list and after every change. */
  onChange(objects: readonly T[]): void
  readonly times?: Times
}

/** In milliseconds. */
export interface Times {
  readonly firstBackoff: number
  readonly maxBackoff: number
  /** How long reading may fail, once it has worked, before `follow` gives up. */
  readonly patience: number
  /** The server sends a bookmark about every minute: a watch that is silent for longer than this is dead. */
  readonly silence: number
}

const usualTimes: Times = { firstBackoff: 800, maxBackoff: 30_000, patience: 60_000, silence: 150_000 }

interface Cache<T> {
  resourceVersion: string
  readonly objects: Map<string, T>
}

interface ObjectMeta {
  readonly metadata?: { readonly uid?: string; readonly resourceVersion?: string }
}

/**
 * Lists, then watches, for ever: a broken or ended watch goes on from the last version that was seen, one whose version is gone (410)
 * begins with a new list, and what keeps failing is asked less and less often. Resolves when the signal fires; rejects when the first
 * read fails, on what waiting cannot cure (no right), and when reading has failed for `times.patience`.
 */
export async function follow<T extends ObjectMeta>(
  client: Client,
  collection: Collection,
  options: FollowOptions<T>,
): Promise<void> {
  const { signal, onChange, times = usualTimes } = options
  let cache: Cache<T> | undefined
  let failures = 0
  let failingSince: number | undefined
  let everRead = false
  while (!signal.aborted) {
    try {
      if (!cache) {
        cache = await list<T>(client, collection, signal)
        everRead = true
        failingSince = undefined
        onChange([...cache.objects.values()])
      }
      const current = cache
      await watch(client, collection, current, {
        signal,
        silentMs: times.silence,
        onEvent(changed) {
          failures = 0
          failingSince = undefined
          if (changed) onChange([...current.objects.values()])
        },
      })
    } catch (error) {
      if (signal.aborted) return
      if (isGone(error)) cache = undefined
      else if (!everRead || !mayPass(error)) throw error
      else {
        failingSince ??= Date.now()
        if (Date.now() - failingSince > times.patience) throw error
      }
    }
    const delay = backoff(failures++, times)
    if (delay > 0) await sleep(delay, undefined, { signal }).catch(() => undefined)
  }
}

/** None after a watch that had brought something; then from half of to the whole of 0.8, 1.6, 3.2 … seconds. */
function backoff(failures: number, { firstBackoff, maxBackoff }: Times): number {
  if (failures === 0) return 0
  return Math.min(maxBackoff, firstBackoff * 2 ** (failures - 1)) * (0.5 + Math.random() / 2)
}

function mayPass(error: unknown): boolean {
  return KiwiError.is(error) && error.retryable
}

async function list<T extends ObjectMeta>(
  client: Client,
  { path, query }: Collection,
  signal: AbortSignal,
): Promise<Cache<T>> {
  const objects = new Map<string, T>()
  let from: string | undefined
  for (;;) {
    const page = await client.read<Page<T>>(
      { path, query: { ...query, limit: '500', ...(from && { continue: from }) } },
      signal,
    )
    for (const object of page?.items ?? []) objects.set(object.metadata?.uid ?? '', object)
    from = page?.metadata?.continue
    if (!from) return { resourceVersion: page?.metadata?.resourceVersion ?? '', objects }
  }
}

interface Page<T> {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
  readonly items?: readonly T[]
}

type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: T }
  | { readonly type: 'ERROR'; readonly object: { readonly code?: number } }

/** Reads one watch to its end and keeps the cache. `onEvent(false)` is a sign of life that changed nothing. */
async function watch<T extends ObjectMeta>(
  client: Client,
  { path, query }: Collection,
  cache: Cache<T>,
  options: { signal: AbortSignal; silentMs: number; onEvent(changed: boolean): void },
): Promise<void> {
  const asked: Query = {
    ...query,
    watch: '1',
    allowWatchBookmarks: 'true',
    resourceVersion: cache.resourceVersion,
    timeoutSeconds: String(Math.round(300 + Math.random() * 300)), // spread, so that many watches do not come back at once
  }
  for await (const line of client.lines({ path, query: asked, silentMs: options.silentMs }, options.signal)) {
    if (line === '') continue
    const event: WatchEvent<T> = JSON.parse(line)
    if (event.type === 'ERROR')
      throw refused({ status: event.object.code ?? 500, body: event.object }, { method: 'GET', path })
    const { uid, resourceVersion } = event.object.metadata ?? {}
    if (event.type === 'DELETED') cache.objects.delete(uid ?? '')
    else if (event.type !== 'BOOKMARK') cache.objects.set(uid ?? '', event.object)
    cache.resourceVersion = resourceVersion ?? cache.resourceVersion
    options.onEvent(event.type !== 'BOOKMARK')
  }
}

/** The version to go on from is no longer kept by the server. */
function isGone(error: unknown): boolean {
  const { evidence } = KiwiError.is(error) ? error : {}
  return typeof evidence === 'object' && evidence !== null && 'status' in evidence && evidence.status === 410
}
