import { readdir } from 'node:fs/promises'
import { join, posix } from 'node:path'

/** Enough for any repository that people look through; a larger one says its path. */
const most = { depth: 6, directories: 5_000 }
const skipped: ReadonlySet<string> = new Set(['.git', 'node_modules', 'vendor', '.venv', 'target', 'dist'])

/**
 * Dockerfiles and Containerfiles of a repository, the nearest to the context first; of those in one directory, plain names before
 * `Dockerfile.prod` and the like. Paths are relative to the repository.
 */
export async function findDockerfiles(directory: string, context: string): Promise<string[]> {
  const found: string[] = []
  let level = ['.']
  let visited = 0
  for (let depth = 0; depth <= most.depth && level.length > 0; depth += 1) {
    const listings = await Promise.all(level.slice(0, most.directories - visited).map((one) => list(directory, one)))
    visited += listings.length
    found.push(...listings.flatMap(({ files }) => files))
    level = listings.flatMap(({ directories }) => directories)
  }
  return found.toSorted((one, other) => distance(context, one) - distance(context, other) || inOrder(one, other))
}

async function list(root: string, place: string): Promise<{ files: string[]; directories: string[] }> {
  const entries = await readdir(join(root, place), { withFileTypes: true }).catch(() => [])
  const at = (name: string) => posix.join(place, name)
  return {
    files: entries.filter((entry) => !entry.isDirectory() && isDockerfile(entry.name)).map(({ name }) => at(name)),
    directories: entries.filter((entry) => entry.isDirectory() && !skipped.has(entry.name)).map(({ name }) => at(name)),
  }
}

function isDockerfile(name: string): boolean {
  return /^(?:Dockerfile|Containerfile)(?:\..+)?$/.test(name) && !name.endsWith('.dockerignore')
}

/** Steps from the context to the file's directory; a step up counts half, so that the root's is nearer than one deeper inside. */
function distance(context: string, path: string): number {
  const steps = posix
    .relative(context, posix.dirname(path))
    .split('/')
    .filter((step) => step !== '')
  const up = steps.filter((step) => step === '..').length
  return up / 2 + (steps.length - up)
}

function inOrder(one: string, other: string): number {
  return one.length - other.length || (one < other ? -1 : 1)
}
