/** One stream, taken part after part. */
export interface Parts extends AsyncDisposable {
  /** The next bytes, that many. */
  take(bytes: number): AsyncGenerator<Uint8Array>
  /** Reads to the end, so that a check at the end is made. */
  end(): Promise<void>
}

export function partsOf(content: AsyncIterable<Uint8Array>): Parts {
  const iterator = content[Symbol.asyncIterator]()
  let rest: Uint8Array = new Uint8Array()
  return {
    async *take(bytes) {
      for (let left = bytes; left > 0; ) {
        if (rest.byteLength === 0) {
          const next = await iterator.next()
          if (next.done) return
          rest = next.value
        }
        const part = rest.subarray(0, left)
        rest = rest.subarray(part.byteLength)
        left -= part.byteLength
        yield part
      }
    },
    async end() {
      while (!(await iterator.next()).done);
    },
    async [Symbol.asyncDispose]() {
      await iterator.return?.()
    },
  }
}
