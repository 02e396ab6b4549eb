import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { digestOf, mediaTypes } from '@kiwi/core'
import type { Layer } from './store.js'
import type { TarHeader } from './tar/header.js'
import { encodeHeader, endOfTar, padding } from './tar/write.js'

/** Why the tests that mount overlayfs cannot run here; undefined where they can. Said aloud by whoever skips. */
export const overlayMissing: string | undefined = whyNoOverlay()

/** A layer of the entries, as a registry would give it. A content makes a file; `->` a symlink, `=>` a hard link, a trailing slash a directory. */
export function layerOf(
  ...files: readonly (readonly [name: string, content?: string | Uint8Array, more?: Partial<TarHeader>])[]
): Layer {
  const blocks = files.flatMap(([name, content = '', more = {}]) => {
    const header = headerOf(name, content, more)
    const bytes = header.type === 'file' ? Buffer.from(content) : Buffer.alloc(0)
    return [encodeHeader({ ...header, size: bytes.byteLength }), bytes, padding(bytes.byteLength)]
  })
  const tar = Buffer.concat([...blocks, endOfTar])
  const blob = gzipSync(tar, { level: 1 })
  return {
    diffId: digestOf(tar),
    descriptor: { mediaType: mediaTypes.layerGzip, digest: digestOf(blob), size: blob.byteLength },
    async *open() {
      yield blob
    },
  }
}

function headerOf(name: string, content: string | Uint8Array, more: Partial<TarHeader>): TarHeader {
  const plain = { name, mode: 0o644, uid: 0, gid: 0, size: 0, mtimeSeconds: 1_700_000_000 }
  if (name.endsWith('/')) return { ...plain, name: name.slice(0, -1), type: 'directory', mode: 0o755, ...more }
  if (typeof content !== 'string') return { ...plain, type: 'file', ...more }
  if (content.startsWith('-> ')) return { ...plain, type: 'symlink', mode: 0o777, link: content.slice(3), ...more }
  if (content.startsWith('=> ')) return { ...plain, type: 'hardlink', link: content.slice(3), ...more }
  return { ...plain, type: 'file', ...more }
}

/** Every path under a directory with what an image records of it: for comparing trees. */
export function treeOf(directory: string): Record<string, string> {
  const found: Record<string, string> = {}
  const names = new Map<number, string>()
  const walk = (path: string) => {
    for (const name of readdirSync(join(directory, path)).sort()) {
      const child = path === '' ? name : `${path}/${name}`
      const status = lstatSync(join(directory, child))
      const owner = `${status.uid}:${status.gid} ${(status.mode & 0o7777).toString(8)}`
      if (status.isDirectory()) {
        found[child] = `directory ${owner}`
        walk(child)
      } else if (status.isSymbolicLink()) found[child] = `symlink ${readlinkSync(join(directory, child))}`
      else if (status.isFile()) {
        const first = names.get(status.ino)
        if (status.nlink > 1) names.set(status.ino, first ?? child)
        found[child] =
          `file ${owner} ${hash(readFileSync(join(directory, child)))}${first === undefined ? '' : ` = ${first}`}`
      } else found[child] = `other ${owner} ${status.rdev}`
    }
  }
  walk('')
  return found
}

/** Runs a command where the layers, lowest first, are mounted over each other at `$MERGED`. Gone when it ends. */
export function inOverlay(lowers: readonly string[], upper: string | undefined, script: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'kiwi-overlay-'))
  const lower = [...lowers].reverse().join(':')
  const upperOptions = upper === undefined ? '' : `,upperdir=${upper},workdir=${folder}/work`
  const mount = `mount -t overlay overlay -o lowerdir=${lower}${upperOptions},redirect_dir=off,metacopy=off,index=off ${folder}/merged`
  const whole = `set -e; mkdir ${folder}/work ${folder}/merged; ${mount}; MERGED=${folder}/merged; cd $MERGED; ${script}`
  try {
    return execFileSync('unshare', ['-m', '--propagation', 'private', 'sh', '-c', whole]).toString()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 12)
}

function whyNoOverlay(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root'
  const folder = mkdtempSync(join(tmpdir(), 'kiwi-overlay-'))
  try {
    execFileSync('mkdir', [join(folder, 'upper'), join(folder, 'lower')])
    inOverlay([join(folder, 'lower')], join(folder, 'upper'), 'true')
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
