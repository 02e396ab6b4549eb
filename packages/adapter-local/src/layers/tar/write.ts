import { attributePrefix, blockBytes, type TarHeader, typeFlags } from './header.js'
import { encodeName } from './name.js'

/*
 * Written here and not with tar-stream: that turns mode 0 into 0644, takes attributes as text, and cuts off user ids above 262143.
 */

const zeros = Buffer.alloc(blockBytes)
/** What ends an archive. */
export const endOfTar: Buffer = Buffer.alloc(2 * blockBytes)

/** The header blocks of one entry. The same header always gives the same bytes; user and group names are left out. */
export function encodeHeader(header: TarHeader): Buffer {
  const name = encodeName(header.type === 'directory' ? `${header.name}/` : header.name)
  const link = encodeName(header.link ?? '')
  const records = paxRecords(header, name, link)
  const own = block({
    ...header,
    name: name.subarray(0, 100),
    link: link.subarray(0, 100),
    flag: typeFlags[header.type],
  })
  if (records.byteLength === 0) return own
  const pax = { ...header, name: Buffer.from('PaxHeader'), link: Buffer.alloc(0), size: records.byteLength, flag: 'x' }
  return Buffer.concat([block({ ...pax, mode: 0o644, device: undefined }), records, padding(records.byteLength), own])
}

/** What fills the last block of `size` bytes. */
export function padding(size: number): Buffer {
  return zeros.subarray(0, (blockBytes - (size % blockBytes)) % blockBytes)
}

/** Only what a plain header cannot hold, in a fixed order. */
function paxRecords(header: TarHeader, name: Buffer, link: Buffer): Buffer {
  const records: Buffer[] = []
  const add = (key: string, value: Buffer | string) => records.push(record(key, Buffer.from(value)))
  if (name.byteLength > 100 || !isAscii(name)) add('path', name)
  if (link.byteLength > 100 || !isAscii(link)) add('linkpath', link)
  if (header.uid > 0o7777777) add('uid', String(header.uid))
  if (header.gid > 0o7777777) add('gid', String(header.gid))
  if (header.size > 0o77777777777) add('size', String(header.size))
  if (header.mtimeSeconds < 0 || header.mtimeSeconds > 0o77777777777) add('mtime', String(header.mtimeSeconds))
  for (const [key, value] of Object.entries(header.attributes ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
    add(attributePrefix + key, value)
  }
  return Buffer.concat(records)
}

/** `<length> key=value\n`, where the length counts itself. */
function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.byteLength(key) + value.byteLength + 3
  let length = rest + String(rest).length
  if (String(length).length !== String(rest).length) length = rest + String(length).length
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from('\n')])
}

interface Block extends Omit<TarHeader, 'name' | 'link' | 'type'> {
  readonly name: Buffer
  readonly link: Buffer
  readonly flag: string
}

function block({ name, link, mode, uid, gid, size, mtimeSeconds, device, flag }: Block): Buffer {
  const bytes = Buffer.alloc(blockBytes)
  name.copy(bytes, 0)
  octal(bytes, 100, 7, mode & 0o7777)
  octal(bytes, 108, 7, uid > 0o7777777 ? 0 : uid)
  octal(bytes, 116, 7, gid > 0o7777777 ? 0 : gid)
  octal(bytes, 124, 11, size > 0o77777777777 ? 0 : size)
  octal(bytes, 136, 11, Math.min(Math.max(Math.floor(mtimeSeconds), 0), 0o77777777777))
  bytes.write('        ', 148, 'latin1')
  bytes.write(flag, 156, 'latin1')
  link.copy(bytes, 157)
  bytes.write('ustar\0' + '00', 257, 'latin1')
  octal(bytes, 329, 7, device?.major ?? 0)
  octal(bytes, 337, 7, device?.minor ?? 0)
  let sum = 0
  for (const byte of bytes) sum += byte
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return bytes
}

function octal(bytes: Buffer, offset: number, digits: number, value: number): void {
  bytes.write(value.toString(8).padStart(digits, '0'), offset, 'latin1')
}

function isAscii(bytes: Buffer): boolean {
  return bytes.every((byte) => byte < 0x80)
}
