/** Splits the engine's multiplexed output: frames of 8 bytes of header (stream, length) and a body, cut anywhere. */
export function frameReader(): (chunk: Uint8Array) => Uint8Array[] {
  let rest = Buffer.alloc(0)
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    const bodies: Uint8Array[] = []
    while (rest.length >= headerBytes) {
      const end = headerBytes + rest.readUInt32BE(4)
      if (rest.length < end) break
      bodies.push(rest.subarray(headerBytes, end))
      rest = rest.subarray(end)
    }
    return bodies
  }
}

const headerBytes = 8
