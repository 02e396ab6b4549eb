import { open, readdir, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { Files } from './files.js'

const skipped = new Set(['node_modules', '.git', '.hg', '.svn', '.venv', 'venv', '__pycache__', '.next', '.cache'])
const mostFiles = 20_000
const mostBytes = 1024 * 1024

/**
 * The files of a local directory, read when asked for. Symbolic links are not followed when listing, nothing outside the
 * directory is ever read, and of a file the first MiB at most. Lists at most 20 000 files.
 */
export function directory(path: string): Files {
  let listed: Promise<readonly string[]> | undefined
  return {
    list() {
      listed ??= listFiles(path)
      return listed
    },
    read: (file) => readInside(path, file),
  }
}

async function listFiles(root: string): Promise<readonly string[]> {
  const files: string[] = []
  const pending = ['']
  for (let prefix = pending.shift(); prefix !== undefined && files.length < mostFiles; prefix = pending.shift()) {
    for (const entry of await readdir(join(root, prefix), { withFileTypes: true })) {
      const path = `${prefix}${entry.name}`
      if (entry.isDirectory() && !skipped.has(entry.name)) pending.push(`${path}/`)
      if (entry.isFile() && files.length < mostFiles) files.push(path)
    }
  }
  return files.sort()
}

async function readInside(root: string, file: string): Promise<string | undefined> {
  const path = await realpath(join(root, file)).catch(ignoreMissing)
  if (path === undefined || !path.startsWith((await realpath(root)) + sep)) return undefined
  await using handle = await open(path)
  if (!(await handle.stat()).isFile()) return undefined
  const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(mostBytes) })
  return buffer.toString('utf8', 0, bytesRead)
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR' && error.code !== 'ELOOP') throw error
}
