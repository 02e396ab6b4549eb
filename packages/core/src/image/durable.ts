import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { folderPrefix, isLeftBehind, thisWorker } from '../journal/worker.js'

/** A file under a name of its own until it is whole. Disposed without `rename`, it is gone. */
export interface Part extends AsyncDisposable {
  /** All of the bytes; on their way to the disk while more are being made. */
  write(bytes: Uint8Array): Promise<void>
  /** Resolves when the content is on the disk and has that name. The name itself is on the disk after `syncDirectory`. */
  rename(path: string): Promise<void>
}

/** Opens a part in `folder`; `make` is called when the folder is not there. */
export async function openPart(folder: string, make: () => Promise<void>): Promise<Part> {
  const path = join(folder, partName())
  const file = await open(path, 'wx').catch(async (error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    await make()
    return open(path, 'wx')
  })
  const flow = flowTo(file)
  let isRenamed = false
  return {
    write: flow.write,
    async rename(to) {
      await flow.end()
      await file.close()
      await rename(path, to)
      isRenamed = true
    },
    async [Symbol.asyncDispose]() {
      if (isRenamed) return
      await file.close().catch(() => undefined)
      await rm(path, { force: true })
    },
  }
}

/** What arrives in small pieces goes to the file in larger ones: a trip to the pool costs as much as copying 64 KiB. */
const gatherBytes = 1024 * 1024

/** So that the last sync finds little left to do, however large the file. */
const syncAfterBytes = 8 * 1024 * 1024

function flowTo(file: FileHandle): { write(bytes: Uint8Array): Promise<void>; end(): Promise<void> } {
  let gathered: Uint8Array[] = []
  let gatheredBytes = 0
  let unsyncedBytes = 0
  let syncing: Promise<void> | undefined
  // The kernel tells of a failed write to the disk once: it must not be forgotten.
  let failure: { readonly error: unknown } | undefined
  const flush = async () => {
    const [pieces, bytes] = [gathered, gatheredBytes]
    gathered = []
    gatheredBytes = 0
    unsyncedBytes += bytes
    if (bytes > 0) await writeAll(file, pieces, bytes)
  }
  return {
    async write(bytes) {
      gathered.push(bytes)
      gatheredBytes += bytes.byteLength
      if (gatheredBytes < gatherBytes) return
      await flush()
      if (syncing !== undefined || unsyncedBytes < syncAfterBytes) return
      unsyncedBytes = 0
      syncing = file
        .datasync()
        .catch((error: unknown) => {
          failure = { error }
        })
        .finally(() => {
          syncing = undefined
        })
    },
    async end() {
      await flush()
      await syncing
      await file.datasync()
      if (failure) throw failure.error
    },
  }
}

/** All of it: a single write may take only a part. */
async function writeAll(file: FileHandle, pieces: readonly Uint8Array[], bytes: number): Promise<void> {
  const { bytesWritten } = await file.writev(pieces)
  if (bytesWritten < bytes) await file.writeFile(Buffer.concat(pieces).subarray(bytesWritten))
}

/** A name that nobody else has, for what is being made; `isLeftoverPart` knows it when this process is gone. */
export function partName(): string {
  return `${partPrefix()}${folderPrefix()}${randomUUID()}`
}

/** Whether a file of that name is the part of a process that is known to be gone. */
export function isLeftoverPart(name: string): boolean {
  const prefix = partPrefix()
  return name.startsWith(prefix) && isLeftBehind(name.slice(prefix.length))
}

/** Makes the names in a folder last through a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r')
  await directory.sync()
}

let prefix: string | undefined

/** Process ids mean something only on one host and in one namespace: others may share the folder. */
function partPrefix(): string {
  if (prefix === undefined) {
    const { host, pidNamespace } = thisWorker()
    prefix = `.part-${createHash('sha256').update(`${host} ${pidNamespace}`).digest('hex').slice(0, 12)}-`
  }
  return prefix
}
