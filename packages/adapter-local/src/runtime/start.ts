import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The module that a supervisor runs: beside this one where the package is built, else where it is built to. */
export function builtSupervisor(): string {
  const beside = fileURLToPath(new URL('./supervisor/main.js', import.meta.url))
  return existsSync(beside) ? beside : fileURLToPath(new URL('../../dist/supervisor/main.js', import.meta.url))
}

export interface Starting {
  /** It has ended, since another one owns the environment. */
  over: boolean
  failed: Error | undefined
}

/** A session of its own, no terminal, and next to nothing of our environment: there may be secrets in it. */
export function startSupervisor(directory: string, supervisorPath: string): Starting {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const log = openSync(logFile(directory), 'a', 0o600)
  const { PATH = '', HOME = '/', TMPDIR } = process.env
  const env = { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }) }
  const args = ['--disable-warning=ExperimentalWarning', supervisorPath, directory]
  const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', log, log], cwd: directory, env })
  closeSync(log)
  child.unref()
  const starting: Starting = { over: false, failed: undefined }
  child.on('error', (error) => {
    starting.failed = error
  })
  child.on('exit', (code, signal) => {
    starting.over = true
    if (code !== 0) starting.failed = new Error(`it ended with ${signal ?? code}`)
  })
  return starting
}

/** What the last supervisors said, in case one could not start. */
export function lastWords(directory: string): string {
  try {
    return readFileSync(logFile(directory), 'utf8').slice(-2000)
  } catch {
    return ''
  }
}

function logFile(directory: string): string {
  return join(directory, 'supervisor.log')
}
