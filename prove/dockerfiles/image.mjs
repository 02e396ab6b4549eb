import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { extract } from 'tar-stream'

/**
 * What a builder made of a Dockerfile. `empty` has, for each entry of the history, whether it has no layer.
 * @typedef {{ outcome: 'built', config: Record<string, unknown>, empty: boolean[], layers: number, files: Record<string, string> }} Image
 * @typedef {{ outcome: 'fails', kind: 'command' | 'refused' | 'unfit', message: string }} Failure
 * @typedef {Image | Failure} Outcome
 * @typedef {{ text: string }} Inode
 * @typedef {{ name: string, type?: string, mode?: number, uid?: number, gid?: number, linkname?: string, pax?: unknown, devmajor?: number, devminor?: number }} Header
 */

/**
 * Reads the one image of an OCI layout.
 * @param {string} directory
 * @param {string} [digest] of the manifest; the index's first unless said
 */
export async function readLayout(directory, digest) {
  const blob = (/** @type {string} */ one) => readFileSync(join(directory, 'blobs', ...one.split(':')))
  const json = (/** @type {string} */ one) => JSON.parse(blob(one).toString())
  const root = digest ?? JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8')).manifests[0].digest
  const found = json(root)
  const manifest = found.manifests === undefined ? found : json(found.manifests[0].digest)
  return imageOf(
    json(manifest.config.digest),
    manifest.layers.map((/** @type {{ digest: string }} */ layer) => blob(layer.digest)),
  )
}

/**
 * Reads what `docker save` wrote, unpacked.
 * @param {string} directory
 */
export async function readSaved(directory) {
  const [manifest] = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8'))
  const config = JSON.parse(readFileSync(join(directory, manifest.Config), 'utf8'))
  return imageOf(
    config,
    manifest.Layers.map((/** @type {string} */ path) => readFileSync(join(directory, path))),
  )
}

/**
 * @param {{ config?: Record<string, unknown>, author?: string, architecture: string, os: string, history?: { empty_layer?: boolean }[] }} image
 * @param {Buffer[]} layers
 * @returns {Promise<Image>}
 */
async function imageOf(image, layers) {
  /** @type {Map<string, Inode>} */
  const merged = new Map()
  for (const layer of layers) await applyLayer(merged, layer)
  const { author, architecture, os } = image
  return {
    outcome: 'built',
    config: { ...image.config, author, architecture, os },
    empty: (image.history ?? []).map(({ empty_layer }) => empty_layer === true),
    layers: layers.length,
    files: Object.fromEntries([...merged].sort().map(([path, inode]) => [path, told(path, inode, merged)])),
  }
}

/**
 * By the image specification: whiteouts concern lower layers only, whatever their place in the archive.
 * @param {Map<string, Inode>} merged
 * @param {Buffer} blob
 */
async function applyLayer(merged, blob) {
  const tar = blob[0] === 0x1f && blob[1] === 0x8b ? gunzipSync(blob) : blob
  /** @type {{ header: Header, text: string, path: string }[]} */
  const added = []
  const reader = extract()
  reader.end(tar)
  for await (const entry of reader) {
    const hash = createHash('sha256')
    for await (const chunk of entry) hash.update(/** @type {Buffer} */ (chunk))
    const path = entry.header.name.replace(/^(\.?\/)+|\/+$/g, '')
    if (path === '' || path === '.') continue
    added.push({ header: entry.header, path, text: textOf(entry.header, hash.digest('hex').slice(0, 16)) })
  }
  const seen = new Set()
  for (const { path } of added) {
    if (seen.has(path)) throw new Error(`a layer has ${path} twice`)
    seen.add(path)
    const [, folder = '', name] = /^(.*\/)?\.wh\.([^/]+)$/.exec(path) ?? []
    if (name === '.wh..opq') remove(merged, folder.slice(0, -1), true)
    else if (name !== undefined) remove(merged, `${folder}${name}`)
  }
  for (const { header, path, text } of added.filter(({ path }) => !/(^|\/)\.wh\.[^/]+$/.test(path))) {
    if (header.type === 'link') {
      const target = merged.get((header.linkname ?? '').replace(/^(\.?\/)+/, ''))
      if (target === undefined) throw new Error(`${path} is a hard link to ${header.linkname}, which is not there`)
      remove(merged, path)
      merged.set(path, target)
    } else {
      if (header.type !== 'directory') remove(merged, path)
      merged.set(path, { text })
    }
  }
}

/**
 * @param {Map<string, Inode>} merged
 * @param {string} path
 * @param {boolean} [contentOnly]
 */
function remove(merged, path, contentOnly = false) {
  if (!contentOnly) merged.delete(path)
  const prefix = path === '' ? '' : `${path}/`
  for (const one of [...merged.keys()]) if (one.startsWith(prefix)) merged.delete(one)
}

/**
 * @param {Header} header
 * @param {string} hash
 */
function textOf({ type, mode = 0, uid = 0, gid = 0, linkname, pax, devmajor, devminor }, hash) {
  const attributes = Object.entries(pax ?? {}).filter(([name]) => name.startsWith('SCHILY.xattr.'))
  const extra = attributes.sort().map(([name, value]) => ` ${name.slice(13)}=${Buffer.from(value).toString('hex')}`)
  const owner = `${uid}:${gid}${extra.join('')}`
  if (type === 'symlink') return `symlink ${owner} -> ${linkname}`
  const plain = `${type} ${(mode & 0o7777).toString(8)} ${owner}`
  if (type === 'directory') return plain
  return type === 'file' ? `${plain} ${hash}` : `${plain} ${devmajor}:${devminor}`
}

/**
 * @param {string} path
 * @param {Inode} inode
 * @param {Map<string, Inode>} merged
 */
function told(path, inode, merged) {
  const first = [...merged]
    .filter(([, other]) => other === inode)
    .map(([name]) => name)
    .sort()[0]
  return first === path ? inode.text : `${inode.text} = ${first}`
}
