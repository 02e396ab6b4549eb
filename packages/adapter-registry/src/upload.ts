import { createHash } from 'node:crypto'
import { type BlobUpload, type Context, KiwiError } from '@kiwi/core'
import type { Client } from './client.js'
import { sendKnown, type Transfer } from './resume-upload.js'
import { isPassing } from './retry.js'
import {
  begin,
  cancel,
  commit,
  isStored,
  readBack,
  type Session,
  sendPart,
  type Target,
  targetOf,
} from './upload-session.js'

export interface Uploaded {
  readonly digest: string
  readonly size: number
  readonly mounted: boolean
}

export interface UploadOptions {
  /** Requests carry at most that many bytes of a blob whose size is known. Default: the whole, and less once that was refused. */
  readonly chunkBytes?: number | undefined
}

/** Sends one blob: mounted when the registry can, else in one request when its size is known, else as one stream. */
export async function uploadBlob(
  client: Client,
  name: string,
  upload: BlobUpload,
  context: Context,
  { chunkBytes }: UploadOptions = {},
): Promise<Uploaded> {
  const target = targetOf(client, name)
  const { expected, open } = upload
  const from = upload.mountFrom?.registry === client.endpoint.host ? upload.mountFrom.repository : undefined
  const session = await begin(target, expected && from ? { digest: expected.digest, from } : undefined, context)
  if (session === 'mounted') return { ...named(expected, client), mounted: true }
  if (!expected) return uploadStream(target, session, open, context)
  const transfer: Transfer = { target, expected, open, session, chunkBytes }
  await cancelledOnFailure(
    target,
    () => transfer.session,
    context,
    () => sendKnown(transfer, context),
  )
  return { ...expected, mounted: false }
}

/** Starts an upload and cancels it: the only proof of the right to push. */
export async function tryUpload(client: Client, name: string, context: Context): Promise<void> {
  const target = targetOf(client, name)
  const session = await begin(target, undefined, context)
  if (session !== 'mounted') await cancel(target, session, context)
}

function named(expected: BlobUpload['expected'], { endpoint: { host } }: Client) {
  if (expected) return expected
  throw new KiwiError('REGISTRY_FAILED', `${host} mounted what nobody named`)
}

async function cancelledOnFailure(target: Target, session: () => Session, context: Context, work: () => Promise<void>) {
  try {
    await work()
  } catch (error) {
    await cancel(target, session(), context)
    throw error
  }
}

/** Hashes while it sends, so that a builder's output goes to the registry in one pass. What it reads from can be read once: a cut is final. */
async function uploadStream(
  target: Target,
  session: Session,
  open: BlobUpload['open'],
  context: Context,
): Promise<Uploaded> {
  const hash = createHash('sha256')
  const read = { size: 0, ended: false }
  const body = async function* () {
    for await (const chunk of open(0)) {
      hash.update(chunk)
      read.size += chunk.byteLength
      yield chunk
    }
    read.ended = true
  }
  let digest = ''
  await cancelledOnFailure(
    target,
    () => session,
    context,
    async () => {
      const there = await sendPart(target, session, { body: body() }, context).catch(async (error: unknown) => {
        const got = read.ended && isPassing(error) ? await readBack(target, session, context) : undefined
        if (got === undefined || got !== read.size) throw cannotRepeat(error)
        return got // only the answer was lost
      })
      digest = `sha256:${hash.digest('hex')}`
      if (there !== undefined && there > 0 && there !== read.size) throw partlyTaken(target, there, read.size)
      await finish(target, session, digest, context)
    },
  )
  return { digest, size: read.size, mounted: false }
}

async function finish(target: Target, session: Session, digest: string, context: Context): Promise<void> {
  const tries = target.client.tries()
  for (;;) {
    try {
      return await commit(target, session, digest, { body: new Uint8Array(), size: 0 }, context)
    } catch (error) {
      if (!isPassing(error)) throw error
      await tries.next(error, context)
      if (await isStored(target, digest, context)) return
      await readBack(target, session, context)
    }
  }
}

const streamHint = 'The blob was made while it was sent and cannot be sent twice; make it again.'

function cannotRepeat(error: unknown): unknown {
  if (!isPassing(error)) return error
  return new KiwiError(error.code, error.message, { ...error, hint: streamHint, cause: error.cause })
}

function partlyTaken({ client, doing }: Target, there: number, size: number): KiwiError {
  const { host } = client.endpoint
  return new KiwiError('REGISTRY_FAILED', `cannot ${doing}: ${host} has ${there} of ${size} bytes that were sent`, {
    hint: streamHint,
    evidence: { host, sentBytes: size, storedBytes: there },
  })
}
