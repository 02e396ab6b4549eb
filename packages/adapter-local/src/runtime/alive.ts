import { readFileSync } from 'node:fs'

/** Whether the process still runs. One that has ended and that nobody has asked about (a zombie) does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !/^\d+ \(.*\) Z/s.test(status)
  } catch {
    return process.platform !== 'linux' // it went between the two looks
  }
}
