import type { FileHandle } from 'node:fs/promises'
import { extract } from 'tar-stream'
import { KiwiError } from '../errors/kiwi-error.js'

/** Where the content of a file lies in a tar. */
export interface Place {
  readonly offset: number
  readonly size: number
}

const headerBytes = 512
/** A header with what pax says about it. */
const lookBytes = 4096
const mostLookBytes = 1024 * 1024

/** The files of a tar by name, from its headers alone: what lies between them is stepped over. Of two of one name the last counts, a link is what it leads to. */
export async function readEntries(file: FileHandle): Promise<ReadonlyMap<string, Place>> {
  const { size } = await file.stat()
  const places = new Map<string, Place>()
  const links = new Map<string, string>()
  for (let at = 0; at < size; ) {
    const entry = await entryAt(file, at, size)
    if (!entry) break
    const name = plain(entry.name)
    if (entry.target !== undefined) links.set(name, entry.target)
    else if (entry.isFile) places.set(name, entry.place)
    at = entry.place.offset + Math.ceil(entry.place.size / headerBytes) * headerBytes
  }
  for (const [name, target] of links) {
    const place = places.get(target)
    if (place) places.set(name, place)
  }
  return places
}

interface Entry {
  readonly name: string
  readonly isFile: boolean
  readonly place: Place
  /** The name that a link leads to. */
  readonly target?: string | undefined
}

/** `undefined` at the end of the archive. */
async function entryAt(file: FileHandle, at: number, fileBytes: number): Promise<Entry | undefined> {
  for (let length = lookBytes; length <= mostLookBytes; length *= 16) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at)
    const bytes = buffer.subarray(0, bytesRead)
    const entry = await firstEntry(bytes, at)
    if (entry) {
      if (entry.place.offset + entry.place.size > fileBytes) throw malformed(`${entry.name} is cut off`)
      return entry
    }
    if (bytes.subarray(0, headerBytes).every((byte) => byte === 0)) return undefined
    if (bytesRead < length) throw malformed('it is cut off')
  }
  throw malformed('a header is too large')
}

function firstEntry(bytes: Uint8Array, at: number): Promise<Entry | undefined> {
  const parser = extract()
  const { promise, resolve, reject } = Promise.withResolvers<Entry | undefined>()
  parser.on('entry', ({ name, type, size = 0, linkname, ...header }) => {
    const byteOffset = Number(Reflect.get(header, 'byteOffset')) // its types do not know it yet
    const target = linkname == null ? undefined : type === 'link' ? plain(linkname) : linkedFrom(name, linkname)
    const isFile = type === 'file' || type === 'contiguous-file'
    resolve({ name, isFile, place: { offset: at + byteOffset, size }, target })
    parser.destroy()
  })
  parser.on('error', (error) => reject(malformed(error.message, error)))
  parser.on('close', () => resolve(undefined))
  parser.end(bytes)
  return promise
}

function plain(name: string): string {
  return name.replace(/^(\.?\/)+/, '').replace(/\/$/, '')
}

/** `docker save` of old keeps a layer that two images share as a link. */
function linkedFrom(name: string, target: string): string {
  return plain(new URL(target, new URL(encodeURI(plain(name)), 'file:///')).pathname)
}

export function malformed(why: string, cause?: unknown): KiwiError {
  return new KiwiError('REGISTRY_FAILED', `the archive cannot be read: ${why}`, {
    retryable: false,
    hint: 'Give an OCI archive or what docker save wrote, as a tar that is not packed.',
    cause,
  })
}
