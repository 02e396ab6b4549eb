import { createHash } from 'node:crypto'

/** Statuses that may pass; more than five of one request in a row are too many tries. */
const failed = new Set([408, 429, 500, 502, 503, 504, 'reset'])

/**
 * Rejects what should not be, by the server's record. Answers how often an upload went on from where the registry was.
 * @param {object} seen
 * @param {import('./scenarios.mjs').Scenario} seen.scenario
 * @param {import('../../packages/adapter-registry/src/testing/fault-server.ts').FaultServer} seen.server
 * @param {ReturnType<typeof import('./image.mjs').imageOf>} seen.image
 * @param {ReadonlyMap<string, Uint8Array>} seen.copy
 * @param {number[]} seen.waits
 * @param {unknown} seen.error
 */
export function check({ scenario, server, image, copy, waits }) {
  if (scenario.survivable) checkStored(scenario, server, image, copy)
  checkTries(server, image.blobs.length)
  checkWaits(scenario, server, waits)
  return checkWire(scenario, server, image)
}

function checkStored({ direction }, server, image, copy) {
  const stored = direction === 'push' ? server.blobs : copy
  for (const { digest } of image.blobs) {
    if (digestOf(stored.get(digest) ?? Buffer.alloc(0)) !== digest) throw new Error(`${digest} is not stored whole`)
  }
  const manifest = direction === 'push' ? server.manifests.get('v1')?.bytes : copy.get(image.root.digest)
  if (!manifest || digestOf(manifest) !== image.root.digest) throw new Error('the manifest is not the one of the image')
}

/** Beginnings of uploads have one address for all blobs. */
function checkTries({ exchanges }, blobs) {
  /** @type {Map<string, number>} */
  const counts = new Map()
  for (const { method, path, range, status } of exchanges) {
    if (!failed.has(status)) continue
    const request = `${method} ${path} ${range ?? ''}`
    const most = method === 'POST' || path.startsWith('/token') ? 5 * blobs : 5
    const count = (counts.get(request) ?? 0) + 1
    counts.set(request, count)
    if (count > most) throw new Error(`${request} was tried ${count} times`)
  }
}

/** What a registry asks for is waited for; never longer than a minute. */
function checkWaits({ faults }, { exchanges }, waits) {
  const longest = Math.max(0, ...waits)
  if (longest > 60_000) throw new Error(`it waited ${longest} ms`)
  for (const { request, count, fault } of faults) {
    const [method, kind] = request.split(' ')
    const happened = exchanges.filter((one) => one.method === method && one.kind === kind).length >= count
    const asked = fault.kind === 'answer' ? Number(fault.headers?.['retry-after']?.replace('in ', '')) : 0
    if (!happened || count === 0 || !(asked > 0)) continue
    if (longest < asked * 1000 - 1500)
      throw new Error(`it was asked to wait ${asked} s, and waited ${longest} ms at most`)
  }
}

/** After a cut bytes go on from the registry's offset; nothing is sent twice unless the registry lost it. */
function checkWire({ forgetsCut, faults, survivable }, { exchanges, blobs }, image) {
  const sent = exchanges.filter(({ kind, bytes }) => kind === 'upload' && bytes > 0)
  const resumed = sent.filter(({ hadBytes, method }) => hadBytes > 0 && method === 'PATCH')
  for (const { range, hadBytes } of resumed) {
    if (!range?.startsWith(`${hadBytes}-`)) throw new Error(`${range} was sent to an upload of ${hadBytes} bytes`)
  }
  if (!survivable || forgetsCut || faults.some(({ fault }) => fault.kind === 'purge')) return resumed.length
  const wire = sent.reduce((sum, { bytes }) => sum + bytes, 0)
  const whole = image.blobs.reduce((sum, { size, digest }) => sum + (blobs.has(digest) ? size : 0), 0)
  if (wire > whole) throw new Error(`${wire} bytes were sent for blobs of ${whole} bytes`)
  return resumed.length
}

function digestOf(bytes) {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
