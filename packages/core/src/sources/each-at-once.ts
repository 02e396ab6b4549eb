/** How many file operations run at a time: as many as it takes to keep a disk busy. */
const atOnce = 16

/** Does the work for every item, several at a time. Rejects with the first failure, when all that had begun has ended. */
export async function eachAtOnce<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const waiting = items.entries()
  let failed = false
  const worker = async () => {
    for (const [index, item] of waiting) {
      if (failed) return
      await work(item, index)
    }
  }
  const stop = (error: unknown) => {
    failed = true
    throw error
  }
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, () => worker().catch(stop)))
  for (const outcome of ended) if (outcome.status === 'rejected') throw outcome.reason
}
