// Secrets of every shape, written in every way a program may write them, cut at every byte, sent to every place where Kiwi shows or keeps
// something. What is a leak is decided by prove/redaction/cases.mjs and packages/core/src/secrets/leaks, which share nothing with the redactor.
import { existsSync, readFileSync } from 'node:fs'
import { writeJson } from './harness.mjs'
import { longSecret, secretsOf } from './redaction/cases.mjs'
import { maskedShare } from './redaction/corpus.mjs'
import { cost } from './redaction/cost.mjs'
import { throughTheWorld } from './redaction/elsewhere.mjs'
import { watchProcesses } from './redaction/processes.mjs'
import { wholeRun } from './redaction/runs.mjs'
import { cutEverywhere } from './redaction/streams.mjs'

export const timeoutMs = 600_000
const batches = 12
const partsOfLongKey = 12
const results = `${import.meta.dirname}/results`

let stateFile = ''
let tallyFile = ''
let report = /** @type {Record<string, any>} */ ({})
let planned = /** @type {string[]} */ ([])

/** @param {number} seed */
export async function plan(seed) {
  const batch = Array.from({ length: batches }, (_, index) => index)
  const scenarios = [
    { kind: 'cost', seed },
    { kind: 'corpus', seed, words: false },
    { kind: 'corpus', seed, words: true },
    ...['on', 'switched off'].map((redactor) => ({ kind: 'processes', seed, redactor })),
    ...['on', 'switched off'].map((redactor) => ({ kind: 'elsewhere', seed, batch: 0, redactor })),
    ...batch.slice(0, 4).map((index) => ({ kind: 'run', seed, batch: index, redactor: 'on' })),
    ...batch.slice(0, 2).map((index) => ({ kind: 'run', seed, batch: index, redactor: 'switched off' })),
    { kind: 'stream', seed, batch: 0, redactor: 'switched off' },
    ...batch.map((index) => ({ kind: 'stream', seed, batch: index, redactor: 'on' })),
    ...Array.from({ length: partsOfLongKey }, (_, part) => ({ kind: 'long key', seed, part, redactor: 'on' })),
  ]
  planned = scenarios.map((scenario) => JSON.stringify(scenario))
  stateFile = `${results}/.state/redaction-${seed}.json`
  tallyFile = `${results}/.state/redaction-${seed}.tallies.json`
  report = readJson(tallyFile) ?? {}
  return scenarios
}

export async function setup() {
  return { [Symbol.asyncDispose]: async () => summarise() }
}

/**
 * @param {any} scenario
 * @param {AbortSignal} signal
 */
export async function runScenario(scenario, signal) {
  const sinks = await sinksOf(scenario, signal)
  report[JSON.stringify(scenario)] = sinks
  writeJson(tallyFile, report)
  const wrong = Object.entries(sinks).flatMap(([sink, tally]) => problems(sink, tally, scenario.redactor))
  if (wrong.length > 0) throw new Error(wrong.join('; '))
}

/** @returns {Promise<Record<string, any>>} by sink */
async function sinksOf(scenario, signal) {
  const { kind, seed, batch, redactor } = scenario
  const blindly = redactor === 'switched off'
  if (kind === 'cost') return { cost: cost(seed) }
  if (kind === 'corpus') return { corpus: maskedShare(seed, scenario) }
  if (kind === 'processes') return watchProcesses(seed, { blindly, signal })
  if (kind === 'run') return wholeRun(secretsOf(seed, batch), { blindly })
  if (kind === 'elsewhere') return throughTheWorld(secretsOf(seed, batch), { blindly })
  if (kind === 'stream')
    return { 'log events, cut at every byte': await cutEverywhere(secretsOf(seed, batch), { blindly }) }
  const long = longSecret(seed)
  const part = { index: scenario.part, of: partsOfLongKey }
  return {
    'log events, cut at every byte': await cutEverywhere([...secretsOf(seed, 0), long], { of: long.name, part }),
  }
}

/** Where the redactor is switched off, everything has to be found; that is what shows that this campaign can fail. */
function problems(sink, tally, redactor) {
  if (!('cases' in tally)) return tally.problem === undefined ? [] : [`${sink}: ${tally.problem}`]
  const { cases, leaks, lost, examples } = tally
  if (cases === 0) return [`${sink}: nothing was looked at`]
  if (lost > 0) return [`${sink}: ${lost} of ${cases} did not arrive: ${examples.join(', ')}`]
  if (redactor !== 'switched off')
    return leaks === 0 ? [] : [`${sink}: ${leaks} of ${cases} leak: ${examples.join(', ')}`]
  return leaks === cases ? [] : [`${sink}: with the redactor switched off only ${leaks} of ${cases} were found`]
}

function summarise() {
  const done = (readJson(stateFile)?.done ?? []).map((index) => planned[index]).filter((scenario) => report[scenario])
  const sinks = /** @type {Record<string, any>} */ ({})
  const rest = []
  for (const scenario of done)
    for (const [sink, tally] of Object.entries(report[scenario]))
      if ('cases' in tally) add(sinks, sink, tally, JSON.parse(scenario).redactor === 'switched off')
      else rest.push(tally)
  const of = Object.values(sinks)
  const summary = {
    done: done.length,
    planned: planned.length,
    cases: sum(of.map(({ cases }) => cases)),
    leaks: sum(of.map(({ leaks }) => leaks)),
    selfTest: { cases: sum(of.map((one) => one.blind.cases)), found: sum(of.map((one) => one.blind.found)) },
    sinks,
    others: rest,
  }
  writeJson(`${results}/redaction.json`, summary)
  for (const [sink, { cases, leaks, blind }] of Object.entries(sinks))
    console.log(`${sink}: ${leaks} leaks of ${cases}; switched off ${blind.found} found of ${blind.cases}`)
  for (const one of rest) console.log(JSON.stringify(one))
  console.log(`${summary.leaks} leaks of ${summary.cases} cases`)
}

function readJson(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

function add(sinks, sink, { cases, leaks }, blindly) {
  sinks[sink] ??= { cases: 0, leaks: 0, blind: { cases: 0, found: 0 } }
  const into = sinks[sink]
  if (blindly) {
    into.blind.cases += cases
    into.blind.found += leaks
  } else {
    into.cases += cases
    into.leaks += leaks
  }
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, one) => total + one, 0)
}
