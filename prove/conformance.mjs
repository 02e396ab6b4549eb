// The OCI distribution specification's own conformance suite against `serveRegistry()`, as the specification is (1.1), as it will be (dev), and
// behind a password. A scenario is one of the four workflows of one such run: nothing may fail or be skipped.
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { readCases, workflowOf, workflows } from './conformance/cases.mjs'
import { runSuite } from './conformance/suite.mjs'

/** The suite itself takes seconds; the first time on a machine it is built. */
export const timeoutMs = 300_000

const runs = [
  { version: '1.1', signIn: false },
  { version: 'dev', signIn: false },
  { version: '1.1', signIn: true },
]

export function plan() {
  if (!hasGo()) {
    console.log('not run: there is no Go here, which the suite is built with')
    return []
  }
  return runs.flatMap((run) => workflows.map((workflow) => ({ ...run, workflow })))
}

/** @type {Map<string, Promise<import('./conformance/cases.mjs').Case[]>>} */
const finished = new Map()

/**
 * @param {{ version: string, signIn: boolean, workflow: string }} scenario
 * @param {AbortSignal} signal
 */
export async function runScenario({ version, signIn, workflow }, signal) {
  const key = `${version} ${signIn}`
  const running = finished.get(key) ?? runSuite({ version, signIn, signal }).then(readCases)
  finished.set(key, running)
  const cases = (await running).filter(({ name }) => workflowOf(name) === workflow)
  const named = `${workflow} (${version}${signIn ? ', signed in' : ''})`
  const failed = cases.filter(({ status }) => status !== 'passed' && status !== 'skipped')
  const skipped = cases.filter(({ status }) => status === 'skipped')
  const passed = cases.length - failed.length - skipped.length
  console.log(`${named}: ${passed} passed, ${failed.length} failed, ${skipped.length} skipped`)
  for (const { name, reason } of skipped) console.log(`  skipped: ${name}: ${reason}`)
  if (passed === 0) throw new Error(`${named}: the suite tested nothing`)
  const wrong = [...failed, ...skipped]
  if (wrong.length > 0) throw new Error(`${named}: ${wrong.map(({ name, reason }) => `${name}: ${reason}`).join('; ')}`)
}

function hasGo() {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => existsSync(join(directory, 'go')))
}
