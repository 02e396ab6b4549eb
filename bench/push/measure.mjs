import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * Runs a command: its wall time, and the most memory that the process itself had (of `docker` that is the client alone: its daemon works).
 * @param {string[]} command
 * @returns {Promise<{ ms: number, rssMiB: number }>}
 */
export async function run([program = '', ...args]) {
  const start = performance.now()
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (text) => {
    errors += text
  })
  let rssMiB = 0
  const poll = setInterval(() => {
    rssMiB = Math.max(rssMiB, residentMiB(child.pid))
  }, 20)
  const code = await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject))
  clearInterval(poll)
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${errors}`)
  return { ms: performance.now() - start, rssMiB }
}

/** @param {number | undefined} pid */
function residentMiB(pid) {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  } catch {
    return 0 // it has ended
  }
}

/**
 * @param {string} name
 * @param {number} value
 * @param {string} unit
 * @param {string} [aim]
 * @returns {import('../harness.mjs').Figure}
 */
export function figure(name, value, unit, aim) {
  return { figure: name, value: Math.round(value * 100) / 100, unit, ...(aim && { aim }) }
}

/** @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
