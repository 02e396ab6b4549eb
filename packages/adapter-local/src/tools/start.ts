import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { KiwiError } from '@kiwi/core'
import type { Tool } from './catalogue.js'
import { toolMissing } from './find.js'
import { toolPath } from './path.js'

export interface RunningTool {
  readonly process: ChildProcess
  /** There unless `input` is false. A write error is ignored: the exit says why. */
  readonly stdin: Writable
  readonly stdout: Readable
  /** Resolves at exit 0; rejects with `TOOL_MISSING`, `DISK_FULL`, or `INTERNAL` with the tool's own words; with the signal's reason when it fired. */
  readonly done: Promise<void>
}

/** Starts a program of the host with a neutral environment, without a shell. */
export function startTool(
  tool: Tool,
  args: readonly string[],
  options: { readonly signal: AbortSignal; readonly directory?: string | undefined },
): RunningTool {
  options.signal.throwIfAborted()
  const child = spawn(tool, args, {
    cwd: options.directory,
    env: { PATH: toolPath, LC_ALL: 'C' },
    signal: options.signal,
    killSignal: 'SIGKILL',
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => {})
  const done = ended(child, tool, options.signal)
  done.catch(() => {})
  return { process: child, stdin: child.stdin, stdout: child.stdout, done }
}

/** Writes with back-pressure; stops early, without an error, when the reader has gone. */
export function writeTo(stream: Writable, bytes: Uint8Array): Promise<void> {
  if (stream.destroyed || stream.writableEnded || stream.write(bytes)) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done)
      resolve()
    }
    stream.on('drain', done).on('close', done)
  })
}

async function ended(child: ChildProcess, tool: Tool, signal: AbortSignal): Promise<void> {
  let words = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-4000)
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  }).catch((error: unknown) => {
    signal.throwIfAborted()
    throw failedToStart(tool, error)
  })
  signal.throwIfAborted()
  if (code !== 0) throw failed(tool, code, words)
}

function failedToStart(tool: Tool, error: unknown): KiwiError {
  const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
  return missing ? toolMissing(tool) : KiwiError.from(error)
}

function failed(tool: Tool, exitCode: number | null, words: string): KiwiError {
  const code = /No space left on device|Disk quota exceeded/.test(words) ? 'DISK_FULL' : 'INTERNAL'
  return new KiwiError(code, `${tool} ended with ${exitCode ?? 'a signal'}: ${words.trim().split('\n').at(-1) ?? ''}`, {
    effect: 'unknown',
    evidence: { tool, exitCode, words },
  })
}
