// Builds a corpus of Dockerfiles with the local builder and with the oracles (BuildKit, Docker's classic builder, Buildah) from the same
// context and the same base image, and compares what came out: configuration, history, and every file of the merged layers. A difference
// that prove/dockerfiles/differences.mjs does not explain is a failure; so is an explained one that is no longer there.
// Starts what it needs of the testbed, where it does not run yet; Buildah has to be on the PATH. An oracle that is missing fails.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compare } from './dockerfiles/compare.mjs'
import { writeContext } from './dockerfiles/context.mjs'
import { differences } from './dockerfiles/differences.mjs'
import { entries } from './dockerfiles/entries.mjs'
import { oracles } from './dockerfiles/oracles.mjs'
import { ourBuilder } from './dockerfiles/ours.mjs'
import { judge } from './dockerfiles/verdict.mjs'
import { writeJson } from './harness.mjs'

export const atOnce = 4
const kept = `${import.meta.dirname}/results/.state/dockerfiles`
const work = mkdtempSync(join(tmpdir(), 'kiwi-dockerfiles-'))
const builder = ourBuilder(join(work, 'kiwi'))
/** @type {Map<string, Promise<import('./dockerfiles/image.mjs').Outcome>>} */
const ours = new Map()
/** @type {{ name: string, oracle: string, verdict: string, facets: string[] }[]} */
const rows = []

/** Every Dockerfile against every oracle; an entry that was edited makes another plan. */
export function plan() {
  return entries.flatMap((entry) =>
    Object.keys(oracles).map((oracle) => ({ name: entry.name, oracle, digest: digestOf(entry) })),
  )
}

export async function setup() {
  const parts = [['registry-up'], ['images', 'busybox:1.36'], ['buildkit-up'], ['docker-up']]
  for (const [script = '', ...args] of parts) {
    execFileSync(join(import.meta.dirname, '../testbed', script), args, { stdio: ['ignore', 'ignore', 'inherit'] })
  }
  const close = async () => {
    rmSync(work, { recursive: true, force: true })
    printTable()
  }
  return { [Symbol.asyncDispose]: close }
}

/**
 * @param {{ name: string, oracle: string }} scenario
 * @param {AbortSignal} signal
 */
export async function runScenario({ name, oracle }, signal) {
  const entry = entries.find((one) => one.name === name)
  if (entry === undefined) throw new TypeError(`there is no entry ${name}`)
  const theirs = await oracleOutcome(entry, oracle, signal)
  const own = ours.get(name) ?? builder(entry, writeContext(entry, join(work, 'ours', name)), signal)
  ours.set(name, own)
  const found = compare(await own, theirs)
  const facets = found.map(({ facet }) => facet)
  const { verdict, wrong } = judge({ name, oracle, facets, outcome: (await own).outcome }, differences)
  rows.push({ name, oracle, verdict, facets })
  if (wrong === undefined) return
  const details = found.map(({ facet, ours, theirs }) => `  ${facet}: ours ${ours}, ${oracle} ${theirs}`)
  throw new Error([`${name} against ${oracle}: ${wrong}`, ...details.slice(0, 12)].join('\n'))
}

/**
 * An oracle is asked once for one Dockerfile and one version of itself.
 * @param {import('./dockerfiles/entry.mjs').Entry} entry
 * @param {string} name
 * @param {AbortSignal} signal
 * @returns {Promise<import('./dockerfiles/image.mjs').Outcome>}
 */
async function oracleOutcome(entry, name, signal) {
  const oracle = oracles[name]
  if (oracle === undefined) throw new TypeError(`there is no oracle ${name}`)
  const file = join(kept, name, `${digestOf([entry, await oracle.version(signal)])}.json`)
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8'))
  const outcome = await oracle.build(entry, writeContext(entry, join(work, name, entry.name)), signal)
  writeJson(file, outcome)
  return outcome
}

function printTable() {
  for (const { name, oracle, verdict, facets } of rows) {
    const what = facets.length > 0 ? ` (${facets.slice(0, 4).join(', ')}${facets.length > 4 ? ', …' : ''})` : ''
    console.log(`${name.padEnd(34)} ${oracle.padEnd(9)} ${verdict}${what}`)
  }
  for (const oracle of Object.keys(oracles)) {
    const verdicts = rows.filter((row) => row.oracle === oracle).map(({ verdict }) => verdict.split(':')[0] ?? '')
    const counts = Object.groupBy(verdicts, (verdict) => verdict)
    const told = Object.entries(counts).map(([verdict, { length = 0 } = []]) => `${length} ${verdict}`)
    if (told.length > 0) console.log(`${oracle}: ${told.join(', ')}`)
  }
}

/** @param {unknown} value */
function digestOf(value) {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)
}
