// Runs a campaign, or goes on with it:
//   npm run prove -- NAME [--seed N] [--minutes M] [--fresh] [--scenario INDEX]
//   --fresh      forget what earlier runs with this seed did       --scenario   only this one, to look into a failure
// Prints, last, one line of JSON with what was done of what is planned; exits 1 when something failed.
// What prove/NAME.mjs exports is described in prove/harness.mjs.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { readProgress, runCampaign, runOne, writeJson } from './harness.mjs'

const here = import.meta.dirname
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '1' },
    fresh: { type: 'boolean', default: false },
    scenario: { type: 'string' },
  },
})
const [name = ''] = positionals
const seed = Number(values.seed)
const minutes = Number(values.minutes)

if (!/^[a-z0-9-]+$/.test(name) || !existsSync(`${here}/${name}.mjs`)) {
  const names = readdirSync(here).filter((file) => file.endsWith('.mjs') && !/^(main|harness)/.test(file))
  refuse(`which campaign? There are: ${names.map((file) => file.replace('.mjs', '')).join(', ') || 'none yet'}`)
} else if (!Number.isSafeInteger(seed) || !(minutes >= 0)) {
  refuse('--seed takes a whole number and --minutes a number')
} else {
  process.exit(await main()) // a scenario that failed may have left something open
}

async function main() {
  /** @type {import('./harness.mjs').Campaign} */
  const campaign = await import(`./${name}.mjs`)
  const stop = new AbortController()
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
    process.once(signal, () => stop.abort(new Error(signal)))
  const scenarios = await campaign.plan(seed)
  const prepared = await campaign.setup?.()
  try {
    if (values.scenario !== undefined) return await runSingle(campaign, scenarios, Number(values.scenario), stop.signal)
    return await runPlan(campaign, scenarios, stop.signal)
  } finally {
    await prepared?.[Symbol.asyncDispose]()
  }
}

/**
 * @param {import('./harness.mjs').Campaign} campaign
 * @param {unknown[]} scenarios
 * @param {AbortSignal} signal
 */
async function runPlan(campaign, scenarios, signal) {
  const stateFile = `${here}/results/.state/${name}-${seed}.json`
  if (values.fresh) rmSync(stateFile, { force: true })
  const progress = readProgress(stateFile, scenarios)
  const save = (/** @type {typeof progress} */ state) => {
    writeJson(stateFile, state)
    show(state, scenarios.length)
  }
  await runCampaign(campaign, { scenarios, progress, minutes, signal, save })
  for (const { index, message } of progress.failures) console.log(`scenario ${index} failed: ${message}`)
  const report = {
    prove: name,
    seed,
    done: progress.done.length,
    planned: scenarios.length,
    failures: progress.failures,
  }
  writeJson(`${here}/results/${name}-${seed}.json`, { ...report, seconds: Math.round(progress.seconds) })
  console.log(JSON.stringify(report))
  return progress.failures.length > 0 ? 1 : 0
}

/**
 * @param {import('./harness.mjs').Campaign} campaign
 * @param {unknown[]} scenarios
 * @param {number} index
 * @param {AbortSignal} signal
 */
async function runSingle(campaign, scenarios, index, signal) {
  if (!(index in scenarios)) return refuse(`there is no scenario ${index}; the plan has ${scenarios.length}`)
  console.log(JSON.stringify(scenarios[index]))
  const message = await runOne(campaign, scenarios[index], signal)
  console.log(message ?? 'it holds')
  return message === undefined ? 0 : 1
}

/**
 * @param {import('./harness.mjs').Progress} progress
 * @param {number} planned
 */
function show({ done, failures }, planned) {
  const line = `${done.length} of ${planned} done, ${failures.length} failed`
  if (process.stderr.isTTY) process.stderr.write(`\r${line}${done.length === planned ? '\n' : ''}`)
  else if (done.length % 100 === 0 || done.length === planned) process.stderr.write(`${line}\n`)
}

/** @param {string} reason */
function refuse(reason) {
  console.error(reason)
  process.exitCode = 1
  return 1
}
