// An OCI layout of about 500 MB in four layers that are not compressed, from what the machine has.
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

const megabyte = 1_000_000

/**
 * The four contents, made once: the node program, a node_modules, records in JSON, and what cannot be compressed.
 * @param {string} home
 */
export function makeContents(home) {
  mkdirSync(home, { recursive: true })
  const root = join(import.meta.dirname, '..', '..')
  const path = (/** @type {string} */ name) => join(home, `${name}.content`)
  execFileSync('cp', [process.execPath, path('runtime')])
  execFileSync('tar', ['-C', root, '-cf', path('modules'), 'node_modules'], { stdio: 'ignore' })
  execFileSync('truncate', ['--size=<240M', path('modules')])
  const line = (/** @type {number} */ id) =>
    JSON.stringify({
      id,
      token: createHash('sha256').update(`${id}`).digest('hex').slice(0, 16),
      kind: 'order',
      paid: id % 3 === 0,
    })
  const records = Array.from({ length: 20_000 }, (_, id) => line(id)).join('\n')
  writeFileSync(
    path('records'),
    Array.from({ length: 60 }, (_, part) => records.replaceAll('order', `order${part}`)).join('\n'),
  )
  writeFileSync(path('noise'), randomBytes(40 * megabyte))
  return ['runtime', 'modules', 'records', 'noise'].map(path)
}

/**
 * A layout whose layers no registry has seen: each begins with a mark of its own.
 * @param {string} directory is made anew
 * @param {string[]} contents
 * @param {string} mark
 * @param {{ keep?: string }} [options] a file that stays, such as a memory of layers
 * @returns {number} bytes of the layers
 */
export function writeImage(directory, contents, mark, { keep } = {}) {
  const kept = keep && existsSync(join(directory, keep)) ? readFileSync(join(directory, keep)) : undefined
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(join(directory, 'blobs', 'sha256'), { recursive: true })
  if (keep && kept) writeFileSync(join(directory, keep), kept)
  const layers = contents.map((content, index) => writeLayer(directory, content, `${mark} ${index}`))
  const config = writeBlob(directory, {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Cmd: ['node'] },
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
  })
  const manifest = writeBlob(directory, {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: layers.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer })),
  })
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' }
  const root = { mediaType: 'application/vnd.oci.image.manifest.v1+json', ...manifest, annotations }
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [root] }))
  return layers.reduce((sum, { size }) => sum + size, 0)
}

/**
 * A tar with a mark and one file.
 * @param {string} directory
 * @param {string} content
 * @param {string} mark
 */
function writeLayer(directory, content, mark) {
  const path = join(directory, 'layer')
  const output = openSync(path, 'w')
  const input = openSync(content, 'r')
  const hash = createHash('sha256')
  let size = 0
  const write = (/** @type {Buffer} */ bytes) => {
    hash.update(bytes)
    writeSync(output, bytes)
    size += bytes.length
  }
  const chunk = Buffer.alloc(4 * 1024 * 1024)
  const length = Number(execFileSync('stat', ['-c', '%s', content], { encoding: 'utf8' }))
  write(Buffer.concat([header('mark', 512), Buffer.alloc(512, mark), header('content', length)]))
  for (let read = readSync(input, chunk); read > 0; read = readSync(input, chunk)) write(chunk.subarray(0, read))
  write(Buffer.alloc(((512 - (length % 512)) % 512) + 1024))
  closeSync(input)
  closeSync(output)
  const digest = `sha256:${hash.digest('hex')}`
  renameSync(path, blobPath(directory, digest))
  return { digest, size }
}

/**
 * Of the version-7 format, which everybody reads.
 * @param {string} name
 * @param {number} size
 */
function header(name, size) {
  const block = Buffer.alloc(512)
  block.write(name)
  block.write(
    `0000644\0${'0000000\0'.repeat(2)}${size.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0        0`,
    100,
  )
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/**
 * @param {string} directory
 * @param {object} value
 */
function writeBlob(directory, value) {
  const bytes = Buffer.from(JSON.stringify(value))
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  writeFileSync(blobPath(directory, digest), bytes)
  return { digest, size: bytes.length }
}

const blobPath = (directory, digest) => join(directory, 'blobs', 'sha256', digest.replace('sha256:', ''))
