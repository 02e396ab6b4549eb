import { bell } from './bell.js'
import type { StoredEvent } from './event.js'
import type { FollowOptions } from './follow.js'

export interface FeedOptions {
  /** The cursor of the last item that was seen; left out: from the beginning. */
  readonly after?: number | undefined
  /** Left out: until Kiwi is closed. */
  readonly signal?: AbortSignal | undefined
}

/** An event, and where to go on after it: keep the cursor, and no event is missed or seen twice. */
export interface FeedItem {
  readonly cursor: number
  readonly event: StoredEvent
}

const batch = 500
/** What other processes commit is looked for this often. */
const pollMs = 250

/** Every stored event of every run, in the order of the commits; then what comes. Reads no faster than it is read. */
export async function* feed(
  { store, hub, clock, closing }: Pick<FollowOptions, 'store' | 'hub' | 'clock'> & { readonly closing: AbortSignal },
  { after = 0, signal }: FeedOptions,
): AsyncGenerator<FeedItem> {
  const until = signal ? AbortSignal.any([signal, closing]) : closing
  let cursor = after
  const ended = new AbortController()
  const news = bell(clock, AbortSignal.any([until, ended.signal]))
  const stop = hub.subscribeAll(news.ring)
  try {
    while (!until.aborted) {
      const items = await store.feed(cursor, batch)
      for (const item of items) {
        yield item
        cursor = item.cursor
      }
      if (items.length === 0) await news.wait(pollMs)
    }
  } finally {
    stop()
    ended.abort()
  }
}
