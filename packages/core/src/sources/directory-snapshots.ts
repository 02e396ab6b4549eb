import { createHash } from 'node:crypto'
import { mkdir, readdir, rename, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { removeDirectory } from './git-command.js'

/** How many states of one directory are kept: a run opens the one that it resolved a moment ago. */
const keptStates = 4

interface State {
  /** Path of the directory that it is a state of. */
  readonly source: string
  readonly contentDigest: string
}

/** @returns undefined when this state is not kept. */
export async function keptSnapshot(directory: string, state: State): Promise<string | undefined> {
  const place = placeOf(directory, state)
  return (await stat(place).catch(() => undefined)) === undefined ? undefined : place
}

/** Moves a copy to where `keptSnapshot` finds it. Another process may do the same at the same time. */
export async function keepSnapshot(directory: string, state: State & { readonly copy: string }): Promise<void> {
  const place = placeOf(directory, state)
  const folder = folderOf(directory, state)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  try {
    await rename(state.copy, place)
  } catch (error) {
    if ((await keptSnapshot(directory, state)) === undefined) throw error
    const { atime, mtime } = await stat(place)
    // It counts as new again: ctime is what they are sorted by.
    await utimes(place, atime, mtime).catch(() => undefined)
  }
  for (const old of (await newestFirst(folder)).slice(keptStates)) await discard(old)
}

/** Renamed first, so that no one finds half of it. */
async function discard(snapshot: string): Promise<void> {
  const aside = `${snapshot}.old`
  await rename(snapshot, aside).catch(() => undefined)
  await removeDirectory(aside)
}

async function newestFirst(folder: string): Promise<string[]> {
  const dated = await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const path = join(folder, name)
      return { path, time: (await stat(path).catch(() => undefined))?.ctimeMs ?? 0 }
    }),
  )
  return dated.sort((a, b) => b.time - a.time).map(({ path }) => path)
}

function placeOf(directory: string, state: State): string {
  return join(folderOf(directory, state), state.contentDigest.replace('sha256:', ''))
}

function folderOf(directory: string, { source }: State): string {
  return join(directory, 'snapshots', createHash('sha256').update(source).digest('hex').slice(0, 32))
}
