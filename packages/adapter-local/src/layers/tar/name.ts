/*
 * Names in archives are bytes. Nearly all are UTF-8; the bytes of the others are kept as lone surrogates U+DC80…U+DCFF
 * (as Python does), so that what is read is written back byte for byte.
 */

const strict = new TextDecoder('utf-8', { fatal: true })

/** Bytes to text, reversibly. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes)
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte)).join('')
  }
}

/** The bytes that `decodeName` read. */
export function encodeName(text: string): Buffer {
  if (!/(?<![\ud800-\udbff])[\udc80-\udcff]/.test(text)) return Buffer.from(text)
  return Buffer.concat(
    Array.from(text, (character) => {
      const code = character.charCodeAt(0)
      return character.length === 1 && code >= 0xdc80 && code <= 0xdcff
        ? Buffer.of(code - 0xdc00)
        : Buffer.from(character)
    }),
  )
}
