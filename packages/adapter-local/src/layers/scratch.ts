import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { folderPrefix, isLeftBehind } from '@kiwi/core'

/** A folder of this process under `<state>/work`, gone on dispose; if the process dies, the next one removes it. */
export interface Scratch extends AsyncDisposable {
  readonly directory: string
}

export async function makeScratch(stateDirectory: string): Promise<Scratch> {
  const work = join(stateDirectory, 'work')
  await mkdir(work, { recursive: true, mode: 0o700 })
  const directory = await mkdtemp(join(work, folderPrefix()))
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) }
}

/** A tar whose process was killed goes on writing until it finds its input at the end: moments later nobody does any more. */
const retries = { maxRetries: 10, retryDelay: 50 }

/** Removes what processes that are no more have left behind. */
export async function removeLeftovers(stateDirectory: string): Promise<void> {
  const work = join(stateDirectory, 'work')
  const left = (await readdir(work).catch(() => [])).filter(isLeftBehind)
  await Promise.all(left.map((name) => rm(join(work, name), { recursive: true, force: true, ...retries })))
}
