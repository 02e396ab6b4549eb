import { availableParallelism } from 'node:os'

/** Enough to keep every core busy while the first waits to be written; the output never depends on it. */
export const defaultConcurrency = availableParallelism() + 1

/** The content cut anew into blocks of `blockBytes`, the last one shorter; none where there is nothing. */
export async function* blocksOf(content: AsyncIterable<Uint8Array>, blockBytes: number): AsyncGenerator<Buffer> {
  let block = Buffer.allocUnsafeSlow(blockBytes)
  let filled = 0
  for await (const chunk of content) {
    for (let at = 0; at < chunk.byteLength; ) {
      const part = chunk.subarray(at, at + blockBytes - filled)
      block.set(part, filled)
      filled += part.byteLength
      at += part.byteLength
      if (filled < blockBytes) continue
      yield block
      block = Buffer.allocUnsafeSlow(blockBytes)
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
