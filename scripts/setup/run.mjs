import { spawn } from 'node:child_process'
import { mkdirSync, openSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { root, stateDirectory } from './paths.mjs'

/** Something a person has to put right; shown without a stack trace. */
export class SetupError extends Error {
  /** @override */
  name = 'SetupError'
}

/**
 * Runs a command with its output in a log file, which the error shows.
 * @param {string} name of the log file
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, timeoutMs?: number }} [options]
 */
export async function runLogged(name, command, args, { env = process.env, timeoutMs } = {}) {
  mkdirSync(stateDirectory, { recursive: true })
  const log = `${stateDirectory}/${name}.log`
  const output = openSync(log, 'w')
  const code = await exitCodeOf(
    spawn(command, args, {
      cwd: root,
      env,
      stdio: ['ignore', output, output],
      ...(timeoutMs ? { timeout: timeoutMs } : {}),
    }),
  )
  if (code === 0) return
  const lastLines = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-30).join('\n')
  throw new SetupError(
    `${lastLines}\n\n${[command, ...args].join(' ')} ended with ${code}; all of its output is in ${log}`,
  )
}

/**
 * Runs a command on this terminal and returns its exit code.
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
export const runForeground = (command, args, env) => exitCodeOf(spawn(command, args, { env, stdio: 'inherit' }))

/**
 * Waits for a child, and hands it the signals that reach us.
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<number>}
 */
function exitCodeOf(child) {
  return new Promise((resolve, reject) => {
    // Ctrl-C in a terminal reaches the whole group: the child has it already, and a second one often means "at once".
    const fromTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
    const onInterrupt = () => fromTerminal || child.kill('SIGINT')
    const onTerminate = () => child.kill('SIGTERM')
    const onHangup = () => child.kill('SIGHUP')
    process.on('SIGINT', onInterrupt).on('SIGTERM', onTerminate).on('SIGHUP', onHangup)
    const release = () => process.off('SIGINT', onInterrupt).off('SIGTERM', onTerminate).off('SIGHUP', onHangup)
    child.once('error', (error) => {
      release()
      reject(new SetupError(`${child.spawnfile} cannot be started: ${error.message}`))
    })
    child.once('close', (code, signal) => {
      release()
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0))
    })
  })
}
