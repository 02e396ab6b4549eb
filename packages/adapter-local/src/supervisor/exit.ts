import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Launch } from './api.js'
import { readTail } from './log-file.js'
import type { Exit } from './process.js'

/** The exit, told as what it is when the application's own program was never reached: trying again will not help then. */
export function explained(exit: Exit, { root }: Launch, directory: string, logFile: string): Exit {
  const words = readTail(logFile).findLast((line) => !line.includes('dmesg(1)'))
  const unmounted = root.form === 'overlay' && exit.code !== undefined && !existsSync(join(directory, 'started'))
  if (unmounted) return { error: `its root could not be mounted: ${words ?? 'no reason given'}` }
  const unknown =
    (exit.code === 126 || exit.code === 127) && /^(?:setpriv|unshare): failed to execute/.test(words ?? '')
  return unknown ? { error: words?.replace(/^\w+: /, '') } : exit
}

/** The exit in the words of a snapshot. */
export function described({ code, signal, outOfMemory, error }: Exit): {
  readonly exitCode: number | undefined
  readonly reason: string
  readonly message: string
} {
  if (error !== undefined) return { exitCode: undefined, reason: 'start-failed', message: error }
  if (outOfMemory && code !== 0)
    return { exitCode: code, reason: 'OOMKilled', message: 'was killed for using more memory than its limit' }
  const message = signal === undefined ? `ended by itself with code ${code}` : `was ended by ${signal}`
  return { exitCode: code, reason: signal ?? 'exited', message }
}
