import { next } from '../next.js'
import type { Instruction } from '../types.js'
import { driverOf, type End } from './driver.js'
import { oracleOf } from './oracle.js'
import { randomFrom } from './random.js'
import { quietAfterMs, type Scenario, scenarioOf } from './scenario.js'
import { worldOf } from './world.js'

export interface History {
  readonly scenario: Scenario
  readonly end: End['how']
  readonly milliseconds: number
  readonly looks: number
}

/** Longer than every deadline of every step together. */
const longestMs = 900_000

/** Lives one rollout through to its end. Throws when a promise is broken or it does not end; the same seed gives the same history. */
export function liveThrough(seed: number, decide: typeof next = next): History {
  const scenario = scenarioOf(seed)
  const random = randomFrom(seed ^ 0x5bd1e995)
  const { faults } = scenario
  const world = worldOf(scenario, random)
  let snapshot = world.snapshot()
  const oracle = oracleOf(scenario, snapshot)
  const driver = driverOf(scenario, { world, oracle, decide, random })
  for (let looks = 1; world.now < longestMs; looks += 1) {
    const noisy = world.now < quietAfterMs
    const milliseconds = random.between(200, 2_000)
    world.advance(milliseconds)
    if (noisy && random.chance(faults.deaths)) world.kill()
    if (noisy && random.chance(faults.foreign)) world.meddle()
    if (noisy && random.chance(faults.crashes)) driver.crash()
    if (!random.chance(faults.stale)) snapshot = world.snapshot()
    oracle.passed(world.snapshot(), milliseconds)
    const end = driver.turn(snapshot, instructionAt(scenario, world.now))
    if (!end) continue
    oracle.ended(end)
    return { scenario, end: end.how, milliseconds: world.now, looks }
  }
  throw new Error(`it did not end within ${longestMs} ms`)
}

function instructionAt({ commands }: Scenario, now: number): Instruction {
  const given = commands.filter(({ at }) => at <= now)
  if (given.some(({ type }) => type === 'revert')) return 'revert'
  return given.at(-1)?.type === 'hold' ? 'hold' : 'promote'
}
