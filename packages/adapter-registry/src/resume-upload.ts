import { createHash } from 'node:crypto'
import { type BlobUpload, type Context, KiwiError, mismatch } from '@kiwi/core'
import { partsOf } from './parts.js'
import { reportProgress } from './progress.js'
import { evidenceOf, isPassing, statusOf, wordOf } from './retry.js'
import {
  begin,
  cancel,
  commit,
  isAboutState,
  isStored,
  readBack,
  type Session,
  sendPart,
  type Target,
} from './upload-session.js'

/** A blob on its way, over as many requests as it takes. */
export interface Transfer {
  readonly target: Target
  readonly expected: NonNullable<BlobUpload['expected']>
  /** May be called again, with any offset. */
  readonly open: BlobUpload['open']
  /** Changes when the upload has to begin anew. */
  session: Session
  /** Unless set, the whole blob goes in one request. */
  chunkBytes?: number | undefined
}

/** After a refusal for size: the limits that proxies are known to have, from large to small. */
const chunkSizes = [16, 4, 1].map((mebibytes) => mebibytes * 1024 * 1024)

/** Sends a blob, and after a cut goes on from where the registry says it is; where it says nothing, from the beginning. */
export async function sendKnown(transfer: Transfer, context: Context): Promise<void> {
  const { target, expected } = transfer
  const tries = target.client.tries()
  let check = checkOf(expected)
  let offset = 0
  let furthest = 0
  let signedIn: boolean = false
  for (;;) {
    const source = watched((from) => transfer.open(from))
    try {
      return await sendFrom(offset, transfer, check, source.open, context)
    } catch (error) {
      context.signal.throwIfAborted()
      if (source.failed() || !KiwiError.is(error)) throw error
      const smaller = statusOf(error) === 413 ? smallerChunk(transfer) : undefined
      const expired: boolean = statusOf(error) === 401 && !signedIn
      const damaged = wordOf(error) === 'DIGEST_INVALID'
      if (damaged && offset === 0) throw damagedOnTheWay(expected, error)
      if (smaller === undefined && !expired && !damaged && !isSurvivable(error)) throw error
      signedIn ||= expired
      report('retrying', offset, transfer, context)
      if (smaller === undefined && !expired) await tries.next(error, context)
      transfer.chunkBytes = smaller ?? transfer.chunkBytes
    }
    const there = await readBack(target, transfer.session, context)
    if (there === undefined && (await isStored(target, expected.digest, context))) return
    if (there !== undefined && there > 0 && there <= check.hashedBytes()) offset = there
    else {
      offset = 0
      check = checkOf(expected)
      await beginAnew(transfer, there, context)
    }
    if (offset > furthest) tries.advanced()
    furthest = Math.max(furthest, offset)
  }
}

function isSurvivable(error: KiwiError): boolean {
  return isPassing(error) || isAboutState(error, wordOf(error)) || evidenceOf(error, 'storedBytes') !== undefined
}

async function beginAnew(transfer: Transfer, there: number | undefined, context: Context): Promise<void> {
  if (there !== undefined) await cancel(transfer.target, transfer.session, context)
  const session = await begin(transfer.target, undefined, context)
  if (session !== 'mounted') transfer.session = session
}

function smallerChunk({ expected, session, chunkBytes = expected.size }: Transfer): number | undefined {
  return chunkSizes.find((bytes) => bytes < chunkBytes && bytes >= session.minimumChunkBytes)
}

/** One try: everything from the offset on, and the end. */
async function sendFrom(
  offset: number,
  transfer: Transfer,
  check: Check,
  open: BlobUpload['open'],
  context: Context,
): Promise<void> {
  const { target, session, expected, chunkBytes } = transfer
  const { digest, size } = expected
  const content = reportProgress(check.pass(open(offset), offset), { ...expected, offset }, 'push', context)
  if (offset === 0 && (chunkBytes === undefined || chunkBytes >= size)) {
    const body = size <= smallBytes ? await collect(content) : content
    return commit(target, session, digest, { body, size }, context)
  }
  await using parts = partsOf(content)
  for (let at = offset; at < size; ) {
    const length = Math.min(Math.max(chunkBytes ?? size, session.minimumChunkBytes), size - at)
    const part = { body: parts.take(length), range: { offset: at, size: length } }
    const there = (await sendPart(target, session, part, context)) ?? at + length
    if (there !== at + length) throw notTaken(target, { wanted: at + length, there })
    at = there
  }
  await parts.end()
  await commit(target, session, digest, { body: new Uint8Array(), size: 0 }, context)
}

/** Blobs up to this size are held in memory, and checked before they are sent. */
const smallBytes = 1024 * 1024

async function collect(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function notTaken({ client, doing }: Target, { wanted, there }: { readonly wanted: number; readonly there: number }) {
  const { host } = client.endpoint
  return new KiwiError('REGISTRY_FAILED', `cannot ${doing}: ${host} has ${there} of ${wanted} bytes that were sent`, {
    evidence: { host, sentBytes: wanted, storedBytes: there },
  })
}

function damagedOnTheWay({ digest, size }: Transfer['expected'], error: KiwiError): KiwiError {
  const message = `what arrived is not ${digest} in ${size} bytes: ${error.message}`
  return new KiwiError('DIGEST_MISMATCH', message, { evidence: error.evidence, cause: error })
}

interface Check {
  /** Passes content that begins at the offset through; hashes what was not hashed before. Throws `DIGEST_MISMATCH`. */
  pass(content: AsyncIterable<Uint8Array>, offset: number): AsyncGenerator<Uint8Array>
  hashedBytes(): number
}

/** The state of the hash outlives a cut: what was read again is not hashed again. */
function checkOf(expected: Transfer['expected']): Check {
  const hash = createHash('sha256')
  let hashed = 0
  let found: string | undefined
  return {
    hashedBytes: () => hashed,
    async *pass(content, offset) {
      let at = offset
      for await (const chunk of content) {
        const end = at + chunk.byteLength
        if (end > expected.size) throw mismatch(expected, `more than ${expected.size} bytes`)
        if (end > hashed) {
          hash.update(at < hashed ? chunk.subarray(hashed - at) : chunk)
          hashed = end
        }
        at = end
        yield chunk
      }
      if (at === expected.size) found ??= `sha256:${hash.digest('hex')}`
      if (found !== expected.digest) throw mismatch(expected, `${found ?? 'less'} in ${at} bytes`)
    },
  }
}

/** Tells a failure of what is read from one of the registry. */
function watched(open: BlobUpload['open']) {
  let failed = false
  return {
    failed: () => failed,
    async *open(offsetBytes: number) {
      try {
        yield* open(offsetBytes)
      } catch (error) {
        failed = true
        throw error
      }
    },
  }
}

function report(state: 'retrying', bytes: number, { expected: { digest, size } }: Transfer, context: Context): void {
  context.report({ type: 'blob', direction: 'push', digest, state, bytes, totalBytes: size })
}
