import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** A folder of this process under `<state>/work`, gone on dispose; if the process dies, the next one removes it. */
export interface Scratch extends AsyncDisposable {
  readonly directory: string
}

export async function makeScratch(stateDirectory: string): Promise<Scratch> {
  const name = `${process.pid}-${startOf(process.pid) ?? 0}-${randomUUID().slice(0, 8)}`
  const directory = join(stateDirectory, 'work', name)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) }
}

/** Removes what processes that are no more have left behind. */
export async function removeLeftovers(stateDirectory: string): Promise<void> {
  const work = join(stateDirectory, 'work')
  const names = await readdir(work).catch(() => [])
  const left = names.filter((name) => !isAlive(name))
  await Promise.all(left.map((name) => rm(join(work, name), { recursive: true, force: true })))
}

function isAlive(name: string): boolean {
  const [pid, start] = name.split('-').map(Number)
  return pid !== undefined && start !== undefined && startOf(pid) === start
}

/** When the process began, in clock ticks since boot: a pid is used again, a pid with its start is not. */
function startOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
  } catch {
    return undefined
  }
}
