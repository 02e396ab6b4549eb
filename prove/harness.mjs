import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'

/**
 * What prove/NAME.mjs exports.
 * @typedef {object} Campaign
 * @property {(seed: number) => any[] | Promise<any[]>} plan plain JSON, the same for the same seed
 * @property {(scenario: any, signal: AbortSignal) => Promise<void>} runScenario rejects when what it proves does not hold
 * @property {() => Promise<AsyncDisposable>} [setup] once before the first scenario
 * @property {number} [timeoutMs] of one scenario, two minutes unless said; it fails when it takes longer
 * @property {number} [atOnce] scenarios that run side by side, 1 unless said: for those that share nothing
 *
 * @typedef {{ index: number, scenario: unknown, message: string }} Failure
 * @typedef {{ plan: string, done: number[], failures: Failure[], seconds: number }} Progress kept between runs
 */

/**
 * Runs the scenarios that are not done yet, in the order of the plan, until the time is over or we are interrupted.
 * @param {Campaign} campaign
 * @param {{ scenarios: unknown[], progress: Progress, minutes: number, signal: AbortSignal, save: (progress: Progress) => void }} options
 */
export async function runCampaign(campaign, { scenarios, progress, minutes, signal, save }) {
  const end = performance.now() + minutes * 60_000
  const waiting = scenarios.keys().filter((index) => !progress.done.includes(index))
  const work = async () => {
    for (const index of waiting) {
      if (signal.aborted || performance.now() >= end) return
      const start = performance.now()
      const message = await runOne(campaign, scenarios[index], signal)
      if (signal.aborted) return // says nothing about the scenario
      if (message !== undefined) progress.failures.push({ index, scenario: scenarios[index], message })
      progress.done.push(index)
      progress.seconds += (performance.now() - start) / 1000
      save(progress)
    }
  }
  await Promise.all(Array.from({ length: campaign.atOnce ?? 1 }, work))
}

/**
 * @param {Campaign} campaign
 * @param {unknown} scenario
 * @param {AbortSignal} signal
 * @returns {Promise<string | undefined>} why it failed
 */
export async function runOne({ runScenario, timeoutMs = 120_000 }, scenario, signal) {
  const timeout = AbortSignal.timeout(timeoutMs)
  const both = AbortSignal.any([signal, timeout])
  const aborted = new Promise((_, reject) => both.addEventListener('abort', () => reject(both.reason), { once: true }))
  try {
    await Promise.race([runScenario(scenario, both), aborted])
    return undefined
  } catch (error) {
    if (timeout.aborted) return `it was not over after ${timeoutMs} ms`
    console.error(error)
    return error instanceof Error ? error.message : String(error)
  }
}

/**
 * What earlier runs of the same plan did; a plan that has changed begins anew.
 * @param {string} file
 * @param {unknown[]} scenarios
 * @returns {Progress}
 */
export function readProgress(file, scenarios) {
  const plan = createHash('sha256').update(JSON.stringify(scenarios)).digest('hex')
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8'))
    if (kept.plan === plan) return kept
  } catch {
    // the first run
  }
  return { plan, done: [], failures: [], seconds: 0 }
}

/**
 * @param {string} file
 * @param {unknown} value
 */
export function writeJson(file, value) {
  mkdirSync(file.slice(0, file.lastIndexOf('/')), { recursive: true })
  writeFileSync(`${file}.part`, `${JSON.stringify(value, undefined, 1)}\n`)
  renameSync(`${file}.part`, file)
}

/**
 * Chance that can be repeated: the same seed and name give the same numbers, on every machine.
 * @param {number} seed
 * @param {string} [name] gives a stream of its own
 */
export function seeded(seed, name = '') {
  const bytes = createHash('sha256').update(`${seed} ${name}`).digest()
  let a = bytes.readInt32LE(0) // sfc32, by Chris Doty-Humphrey
  let b = bytes.readInt32LE(4)
  let c = bytes.readInt32LE(8)
  let d = bytes.readInt32LE(12)
  const next = () => {
    const sum = (a + b + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return (sum >>> 0) / 2 ** 32
  }
  /** @param {number} below */
  const integer = (below) => Math.floor(next() * below)
  return {
    /** from 0 to below 1 */
    next,
    /** a whole number from 0 to below the limit */
    integer,
    /** @param {number} probability */
    chance: (probability) => next() < probability,
    /**
     * @template T
     * @param {readonly T[]} values not empty
     */
    pick: (values) => /** @type {T} */ (values[integer(values.length)]),
    /**
     * @template T
     * @param {readonly T[]} values
     * @returns {T[]} the same ones in another order
     */
    shuffle: (values) =>
      values
        .map((value) => ({ value, at: next() }))
        .sort((one, other) => one.at - other.at)
        .map(({ value }) => value),
  }
}
