import { readdir, readFile } from 'node:fs/promises'

/** Names the instance in the environment of a plain process, and of all that it starts. */
export const instanceVariable = 'KIWI_INSTANCE'

/**
 * Kills what the plain processes of instances below `directory` had started and what has left their process group, or outlived their
 * supervisor: the kernel ends only the first of them with it. Spares only those that have thrown their environment away. Linux only.
 */
export async function killLeftovers(directory: string): Promise<void> {
  const mark = `${instanceVariable}=${directory}/`
  const entries = await readdir('/proc').catch(() => [])
  for (const pid of entries.map(Number).filter(Number.isInteger)) {
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
    if (environment.split('\0').some((variable) => `${variable}/`.startsWith(mark))) kill(pid)
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended in between.
  }
}
