import { attributePrefix, blockBytes, type TarHeader, type TarType, typeFlags } from './header.js'
import { decodeName } from './name.js'

export interface TarEntry extends TarHeader {
  /** The content, once; what is not read is skipped when the next entry is asked for. */
  content(): AsyncGenerator<Uint8Array>
}

const types = new Map<string, TarType>(Object.entries(typeFlags).map(([type, flag]) => [flag, type as TarType]))

/** Reads an archive entry by entry. Throws a `SyntaxError` when the bytes are no archive or end too early. */
export async function* readTar(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const bytes = byteReader(chunks)
  try {
    yield* entries(bytes)
    await bytes.drain()
  } finally {
    await bytes.close()
  }
}

async function* entries(bytes: ByteReader): AsyncGenerator<TarEntry> {
  let extra: Extra = {}
  for (;;) {
    const block = await bytes.take(blockBytes, { orEnd: true })
    if (block === undefined) return
    if (isZero(block)) continue
    const header = plainHeader(block)
    if (!isExtra(header.flag)) {
      yield* oneEntry(bytes, complete(header, extra))
      extra = {}
      continue
    }
    const content = await bytes.take(header.size)
    await bytes.skip(paddingBytes(header.size))
    extra = { ...extra, ...readExtra(header.flag, content) }
  }
}

async function* oneEntry(bytes: ByteReader, header: TarHeader & { readonly stored: number }): AsyncGenerator<TarEntry> {
  let left = header.stored
  const content = async function* () {
    while (left > 0) {
      const chunk = await bytes.some(left)
      left -= chunk.byteLength
      yield chunk
    }
  }
  yield { ...header, content }
  await bytes.skip(left + paddingBytes(header.stored))
}

/** What the headers before an entry's own say: pax records and GNU's long names. */
interface Extra {
  readonly records?: ReadonlyMap<string, Buffer>
  readonly longName?: string
  readonly longLink?: string
}

function isExtra(flag: string): boolean {
  return flag === 'x' || flag === 'g' || flag === 'L' || flag === 'K'
}

function readExtra(flag: string, content: Buffer): Extra {
  if (flag === 'x') return { records: readRecords(content) }
  if (flag === 'g') return {}
  const text = decodeName(untilZero(content))
  return flag === 'L' ? { longName: text } : { longLink: text }
}

function readRecords(content: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>()
  for (let at = 0; at < content.byteLength; ) {
    const space = content.indexOf(0x20, at)
    const length = Number(content.toString('latin1', at, space))
    const equals = content.indexOf(0x3d, space)
    if (space < 0 || !(length > 0) || equals < 0) throw new SyntaxError('a pax record is malformed')
    records.set(content.toString('utf8', space + 1, equals), content.subarray(equals + 1, at + length - 1))
    at += length
  }
  return records
}

interface PlainHeader {
  readonly flag: string
  readonly name: string
  readonly link: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly mtimeSeconds: number
  readonly device: { readonly major: number; readonly minor: number }
}

function plainHeader(block: Buffer): PlainHeader {
  checkSum(block)
  const posix = block.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = posix ? decodeName(untilZero(block.subarray(345, 500))) : ''
  const name = decodeName(untilZero(block.subarray(0, 100)))
  return {
    flag: block.toString('latin1', 156, 157),
    name: prefix === '' ? name : `${prefix}/${name}`,
    link: decodeName(untilZero(block.subarray(157, 257))),
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtimeSeconds: number(block, 136, 12),
    device: { major: number(block, 329, 8), minor: number(block, 337, 8) },
  }
}

function complete(plain: PlainHeader, { records, longName, longLink }: Extra): TarHeader & { stored: number } {
  const text = (key: string) => {
    const value = records?.get(key)
    return value && decodeName(value)
  }
  const figure = (key: string) => (records?.has(key) ? Number(text(key)) : undefined)
  const name = text('path') ?? longName ?? plain.name
  const type = plain.flag === '\0' && name.endsWith('/') ? 'directory' : (types.get(plain.flag) ?? 'file')
  const attributes = [...(records ?? [])].filter(([key]) => key.startsWith(attributePrefix))
  const link = text('linkpath') ?? longLink ?? plain.link
  const stored = figure('size') ?? plain.size
  return {
    name: name.replace(/(?<=.)\/+$/, ''),
    type,
    mode: plain.mode,
    uid: figure('uid') ?? plain.uid,
    gid: figure('gid') ?? plain.gid,
    size: type === 'file' ? stored : 0,
    mtimeSeconds: figure('mtime') ?? plain.mtimeSeconds,
    ...((type === 'symlink' || type === 'hardlink') && { link }),
    ...(type.endsWith('device') && { device: plain.device }),
    ...(attributes.length > 0 && {
      attributes: Object.fromEntries(attributes.map(([key, value]) => [key.slice(attributePrefix.length), value])),
    }),
    // Some writers repeat the file's size in a hard link's header without any content following.
    stored: type === 'file' || !types.has(plain.flag) ? stored : 0,
  }
}

/** Octal text, or GNU's base 256 when the first bit is set. */
function number(block: Buffer, offset: number, length: number): number {
  const field = block.subarray(offset, offset + length)
  const first = field[0] ?? 0
  if ((first & 0x80) === 0) return Number.parseInt(field.toString('latin1').replaceAll('\0', ' ').trim() || '0', 8)
  const negative = (first & 0x40) !== 0
  let value = BigInt(negative ? first | ~0xff : first & 0x7f)
  for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte)
  return Number(value)
}

function checkSum(block: Buffer): void {
  let sum = 8 * 0x20
  for (let index = 0; index < blockBytes; index++) if (index < 148 || index >= 156) sum += block[index] ?? 0
  if (sum !== number(block, 148, 8)) throw new SyntaxError('a header block is damaged, or this is no tar archive')
}

function untilZero(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}

function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0)
}

function paddingBytes(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes
}

interface ByteReader {
  /** Exactly that many bytes. */
  take(size: number): Promise<Buffer>
  take(size: number, options: { orEnd: true }): Promise<Buffer | undefined>
  /** At least one byte, at most `most`. */
  some(most: number): Promise<Uint8Array>
  skip(size: number): Promise<void>
  /** Reads to the end, so that whoever counts or hashes the stream sees all of it. */
  drain(): Promise<void>
  close(): Promise<void>
}

function byteReader(chunks: AsyncIterable<Uint8Array>): ByteReader {
  const source = chunks[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  const fill = async () => {
    for (;;) {
      const next = await source.next()
      if (next.done === true) return false
      if (next.value.byteLength === 0) continue
      rest = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength)
      return true
    }
  }
  const some = async (most: number) => {
    if (rest.byteLength === 0 && !(await fill())) throw new SyntaxError('the archive ends too early')
    const part = rest.subarray(0, most)
    rest = rest.subarray(part.byteLength)
    return part
  }
  const take = async (size: number, options?: { orEnd: true }) => {
    if (rest.byteLength >= size && size > 0) {
      const part = rest.subarray(0, size)
      rest = rest.subarray(size)
      return part
    }
    if (options?.orEnd === true && rest.byteLength === 0 && !(await fill())) return undefined
    const parts: Buffer[] = []
    for (let left = size; left > 0; ) {
      const part = await some(left)
      parts.push(part)
      left -= part.byteLength
    }
    return Buffer.concat(parts)
  }
  const skip = async (size: number) => {
    for (let left = size; left > 0; ) left -= (await some(left)).byteLength
  }
  const drain = async () => {
    rest = Buffer.alloc(0)
    while (await fill());
  }
  const close = async () => void (await source.return?.())
  // The overload of `take` with `orEnd` is the only one that may give undefined.
  return { take: take as ByteReader['take'], some, skip, drain, close }
}
