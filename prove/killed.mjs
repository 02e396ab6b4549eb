// SIGKILL at random moments of a build (parallel stages, commands, copies, mounts); then another process builds the same. Proven from
// outside: the image has the digest of an undisturbed build, and no process, mount or temporary file of the killed one is left.
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seeded } from './harness.mjs'

export const timeoutMs = 60_000
const moments = 200
const child = join(import.meta.dirname, 'killed', 'child.mjs')
const home = mkdtempSync(join(tmpdir(), 'kiwi-prove-killed-'))
let undisturbedMs = 0
let digest = ''
let number = 0

export async function setup() {
  return { [Symbol.asyncDispose]: async () => rmSync(home, { recursive: true, force: true }) }
}

/** The right digest comes from a build that nobody disturbs. */
export async function plan(/** @type {number} */ seed) {
  for (const [script, ...args] of [['registry-up'], ['images', 'busybox:1.36']]) {
    execFileSync(join(import.meta.dirname, '../testbed', String(script)), args, {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }
  const { output, code, milliseconds } = await build(join(home, 'undisturbed'))
  if (code !== 0) throw new Error(`the undisturbed build failed: ${output}`)
  digest = output.trim()
  undisturbedMs = milliseconds
  const random = seeded(seed, 'moments')
  return Array.from({ length: moments }, () => ({ part: random.next() * 1.05 }))
}

/** @param {{ part: number }} scenario @param {AbortSignal} signal */
export async function runScenario({ part }, signal) {
  number += 1
  const state = join(home, `s${number}`)
  const killed = await build(state, { afterMs: part * undisturbedMs, signal })
  const next = await build(state, { signal })
  if (next.code !== 0) throw new Error(`the next build failed: ${next.output}`)
  if (next.output.trim() !== digest) throw new Error(`${next.output.trim()} is another image than ${digest}`)
  const left = leftOf(state, killed.pid)
  if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`)
  rmSync(state, { recursive: true })
}

/** @param {string} state @param {number} pid */
function leftOf(state, pid) {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && commandOf(name).includes(state))
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(state))
  const names = readdirSync(state, { recursive: true, encoding: 'utf8' })
  const files = names.filter((name) => /(?:^|\/)work\/./.test(name) || name.includes(`${pid}-`))
  return [...processes.map((name) => `process ${name}: ${commandOf(name)}`), ...mounts, ...files]
}

/** @param {string} pid */
function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

/**
 * @param {string} state
 * @param {{ afterMs?: number, signal?: AbortSignal }} [options] killed after that time
 * @returns {Promise<{ output: string, code: number | null, milliseconds: number, pid: number }>}
 */
function build(state, { afterMs, signal } = {}) {
  const started = performance.now()
  const running = spawn(process.execPath, [child, state], { stdio: ['ignore', 'pipe', 'pipe'] })
  const timer = afterMs === undefined ? undefined : setTimeout(() => running.kill('SIGKILL'), afterMs)
  signal?.addEventListener('abort', () => running.kill('SIGKILL'))
  let output = ''
  for (const stream of [running.stdout, running.stderr]) stream.on('data', (chunk) => (output += chunk))
  return new Promise((resolve, reject) => {
    running.once('error', reject)
    running.once('close', (code) => {
      clearTimeout(timer)
      resolve({ output, code, milliseconds: performance.now() - started, pid: running.pid ?? 0 })
    })
  })
}
