import { createHash } from 'node:crypto'
import { seeded } from '../harness.mjs'

/**
 * An image whose bytes follow from the scenario.
 * @param {import('./scenarios.mjs').Scenario} scenario
 */
export function imageOf({ layers: sizes, seed }) {
  /** @type {Map<string, Buffer>} */
  const contents = new Map()
  const keep = (/** @type {string} */ mediaType, /** @type {Buffer} */ bytes) => {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    contents.set(digest, bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const json = (/** @type {unknown} */ value) => Buffer.from(JSON.stringify(value))
  const oci = 'application/vnd.oci.image'
  const layers = sizes.map((size, index) => keep(`${oci}.layer.v1.tar+gzip`, randomBytes(size, seed * 100 + index)))
  const config = keep(`${oci}.config.v1+json`, json({ os: 'linux', architecture: 'amd64', seed }))
  const mediaType = `${oci}.manifest.v1+json`
  const manifest = json({ schemaVersion: 2, mediaType, config, layers })
  const root = keep(mediaType, manifest)
  const read = (/** @type {{ digest: string }} */ { digest }) => contents.get(digest) ?? Buffer.alloc(0)
  const blobs = [...layers, config]
  /** @typedef {import('../../packages/adapter-registry/src/testing/fault-server.ts').FaultServer} Server */
  return {
    root,
    blobs,
    contents,
    /** @type {import('@kiwi/core').ImageSource} */
    source: {
      root,
      manifest: async (descriptor) => read(descriptor),
      async *blob(descriptor, { offsetBytes }) {
        const bytes = read(descriptor)
        for (let at = offsetBytes; at < bytes.length; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024)
      },
    },
    storeAt(/** @type {Server} */ server) {
      for (const blob of blobs) server.blobs.set(blob.digest, read(blob))
      const stored = { bytes: manifest, type: mediaType }
      server.manifests.set('v1', stored).set(root.digest, stored)
    },
    storeLayerAt(/** @type {Server} */ server, /** @type {number} */ index) {
      const layer = layers[index]
      if (layer) server.blobs.set(layer.digest, read(layer))
    },
  }
}

/**
 * @param {number} size
 * @param {number} seed
 */
function randomBytes(size, seed) {
  const random = seeded(seed, 'layer')
  const words = new Uint32Array(Math.ceil(size / 4))
  for (let index = 0; index < words.length; index += 1) words[index] = random.integer(2 ** 32)
  return Buffer.from(words.buffer, 0, size)
}
