import { availableParallelism } from 'node:os'

/** Enough to keep every core busy while the first waits to be written; the output never depends on it. */
export const defaultConcurrency = availableParallelism() + 1

/** Blocks that are used again: memory of that size is dear to get, and the collector comes late for it. */
export interface BlockStore {
  readonly blockBytes: number
  take(): Buffer
  /** When nobody reads the block any more. */
  giveBack(block: Buffer): void
}

export function blockStore(blockBytes: number): BlockStore {
  const free: Buffer[] = []
  return {
    blockBytes,
    take: () => free.pop() ?? Buffer.allocUnsafeSlow(blockBytes),
    giveBack(block) {
      if (block.byteLength === blockBytes) free.push(block) // the last one is a part
    },
  }
}

/** The content cut anew into blocks of the store, the last one shorter; none where there is nothing. */
export async function* blocksOf(content: AsyncIterable<Uint8Array>, store: BlockStore): AsyncGenerator<Buffer> {
  const { blockBytes } = store
  let block = store.take()
  let filled = 0
  for await (const chunk of content) {
    for (let at = 0; at < chunk.byteLength; ) {
      const part = chunk.subarray(at, at + blockBytes - filled)
      block.set(part, filled)
      filled += part.byteLength
      at += part.byteLength
      if (filled < blockBytes) continue
      yield block
      block = store.take()
      filled = 0
    }
  }
  if (filled > 0) yield block.subarray(0, filled)
}

/** The results of `work` in the order of the items, at most `concurrency` at a time. Ends with the first failure, when no work is left running. */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  work: (item: Item) => Promise<Result>,
  options: { readonly concurrency: number; readonly signal: AbortSignal },
): AsyncGenerator<Result> {
  const { concurrency, signal } = options
  const running: Promise<Result>[] = []
  try {
    for await (const item of items) {
      signal.throwIfAborted()
      const started = work(item)
      started.catch(() => undefined) // whoever reads in order meets it
      running.push(started)
      for (let first = running[0]; first !== undefined && running.length >= concurrency; first = running[0]) {
        yield await first
        running.shift()
      }
    }
    for (let first = running[0]; first !== undefined; first = running[0]) {
      yield await first
      running.shift()
      signal.throwIfAborted()
    }
  } finally {
    await Promise.allSettled(running)
  }
}
