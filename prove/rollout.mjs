// Rollouts lived through in a world of faults: instances that die or never get ready, acts that are lost, doubled or refused, conflicts, other
// people's changes, processes that are killed, commands at any time; every procedure, first deployments, updates and rollbacks. Each must end and
// keep its promises by an account that knows nothing of how decisions are made (packages/core/src/rollout/simulation/oracle.ts).
// A scenario is a batch of histories, numbered by their seeds.
import { liveThrough } from './rollout/source.mjs'

const batches = 240
const inBatch = 100

export const timeoutMs = 120_000

/** @param {number} seed */
export function plan(seed) {
  console.log(`${batches * inBatch} histories in ${batches} batches`)
  return Array.from({ length: batches }, (_, index) => ({
    from: seed * 10_000_000 + index * inBatch,
    histories: inBatch,
  }))
}

/** @param {{ from: number, histories: number }} batch */
export async function runScenario({ from, histories }) {
  const broken = []
  for (let seed = from; seed < from + histories; seed += 1) {
    try {
      count(liveThrough(seed))
    } catch (error) {
      broken.push(`seed ${seed}: ${error instanceof Error ? error.message : error}`)
    }
  }
  if (broken.length > 0) throw new Error(broken.join('; '))
}

/** @type {Record<string, number>} */
const lived = {}

/** @param {{ scenario: { procedure: string, kind: string }, end: string }} history */
function count({ scenario, end }) {
  const what = `${scenario.procedure}, ${scenario.kind}: ${end}`
  lived[what] = (lived[what] ?? 0) + 1
}

export async function setup() {
  return {
    async [Symbol.asyncDispose]() {
      for (const [what, times] of Object.entries(lived).sort()) console.log(`${times} × ${what}`)
    },
  }
}
