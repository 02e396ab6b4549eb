import { execFileSync } from 'node:child_process'
import { chmodSync, linkSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Writes an entry's context, with its Dockerfile in it.
 * @param {import('./entry.mjs').Entry} entry
 * @param {string} directory is emptied first
 */
export function writeContext({ dockerfile, files = {} }, directory) {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true, mode: 0o755 })
  writeFiles({ Dockerfile: dockerfile, ...files }, directory)
  return directory
}

/**
 * @param {NonNullable<import('./entry.mjs').Entry['files']>} files
 * @param {string} directory
 */
function writeFiles(files, directory) {
  for (const [name, value] of Object.entries(files)) {
    const path = join(directory, name)
    const file = typeof value === 'string' ? { text: value } : value
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true })
    if (file.symlink !== undefined) symlinkSync(file.symlink, path)
    else if (file.hardlink !== undefined) linkSync(join(directory, file.hardlink), path)
    else if (file.archive !== undefined) writeArchive(file.archive, file.compress, path)
    else if (!name.endsWith('/')) writeFileSync(path, file.text ?? '')
    if (file.symlink === undefined && file.hardlink === undefined)
      chmodSync(path, file.mode ?? (name.endsWith('/') ? 0o755 : 0o644))
  }
}

/**
 * @param {NonNullable<import('./entry.mjs').Entry['files']>} files
 * @param {'gzip' | 'bzip2' | 'xz' | undefined} compress
 * @param {string} path
 */
function writeArchive(files, compress, path) {
  const folder = `${path}.unpacked`
  mkdirSync(folder)
  writeFiles(files, folder)
  const flags = ['--sort=name', '--owner=7', '--group=8', '--numeric-owner', '--mtime=@1750000000']
  const names = readdirSync(folder).sort()
  execFileSync('tar', [...flags, ...(compress ? [`--${compress}`] : []), '-cf', path, '-C', folder, ...names])
  rmSync(folder, { recursive: true })
}
