import { readdir, readFile } from 'node:fs/promises'

/**
 * Ends what a killed git leaves running: git-remote-https and ssh do not notice that their parent is gone while they wait for the network.
 * They are known by the operation's own folder in their environment. Where there is no /proc they end by themselves, a minute later.
 */
export async function endHelpers(scratch: string): Promise<void> {
  // More than once: a helper that was missed may have started another meanwhile.
  for (let round = 0; round < 5; round++) {
    const found = await helpersOf(scratch)
    if (found.length === 0) return
    for (const id of found) end(id)
  }
}

async function helpersOf(scratch: string): Promise<number[]> {
  const ids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  const mine = await Promise.all(ids.map((id) => isHelper(id, scratch)))
  return ids.filter((_, index) => mine[index]).map(Number)
}

/** The environment of a process that has ended is empty; that of another user's cannot be read. */
async function isHelper(id: string, scratch: string): Promise<boolean> {
  const environment = await readFile(`/proc/${id}/environ`, 'utf8').catch(() => '')
  return environment.includes(`${scratch}/`)
}

function end(id: number): void {
  try {
    process.kill(id, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
