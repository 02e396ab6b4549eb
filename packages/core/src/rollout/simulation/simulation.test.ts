import { describe, expect, it } from 'vitest'
import { next } from '../next.js'
import { slotOf } from '../read.js'
import type { Decision, Seen, Wanted } from '../types.js'
import { liveThrough } from './history.js'
import { scenarioOf } from './scenario.js'

type Next = typeof next

const histories = 2_000

describe('a rollout in a world of faults', () => {
  it(`ends and keeps every promise in ${histories} histories`, () => {
    for (let seed = 1; seed <= histories; seed += 1)
      expect(() => liveThrough(seed), `the history of seed ${seed}`).not.toThrow()
  })

  it('is the same again for the same seed, and meets every procedure, kind and end', () => {
    const lives = Array.from({ length: 300 }, (_, seed) => liveThrough(seed))
    expect(liveThrough(7)).toEqual(liveThrough(7))
    expect(new Set(lives.map(({ scenario }) => scenario.procedure)).size).toBe(5)
    expect(new Set(lives.map(({ scenario }) => scenario.kind)).size).toBe(6)
    expect(new Set(lives.map(({ end }) => end))).toContain('succeeded')
    expect(new Set(lives.map(({ end }) => end))).toContain('failed')
  })

  it('has histories with each fault, and half of them without any that would excuse an outage', () => {
    const faults = Array.from({ length: 1_000 }, (_, seed) => scenarioOf(seed).faults)
    for (const name of ['deaths', 'foreign', 'lost', 'conflicts', 'refusals', 'crashes', 'stale'] as const)
      expect(faults.filter((some) => some[name] > 0).length, name).toBeGreaterThan(100)
    expect(faults.filter(({ deaths, foreign }) => deaths === 0 && foreign === 0).length).toBeGreaterThan(450)
  })
})

/** Each is a procedure that is wrong in one way; none is checked by the invariants, so that only the oracle can tell. */
const mutants: readonly (readonly [string, Next, RegExp])[] = [
  ['routes before the new slot is ready', routesEarly, /nothing ready|routed with|not ready|were promised|went from/],
  ['removes the old slot first', instead(removesOld), /removed/],
  ['empties the old slot while it serves', instead(emptiesOld), /emptied/],
  ['closes the route before it moves', instead(closes), /closed the route/],
  ['takes one old instance too many', takesTooMany, /left|were promised/],
  [
    'does not hold',
    (p, w, s) => next(p, w, s.instruction === 'hold' ? { ...s, instruction: 'promote' } : s),
    /while it was held/,
  ],
  [
    'does not go back',
    (p, w, s) => next(p, w, s.instruction === 'revert' ? { ...s, instruction: 'promote' } : s),
    /went back|left|nobody|end/,
  ],
  ['goes back before the old slot is ready', goesBackEarly, /nothing ready|went back with|went from/],
  ['leaves what failed', leavesFailed, /what failed was left/],
  ['skips the task', (p, w, s) => next(p, { ...w, beforeSwitch: undefined }, s), /task/],
  ['runs the task although it goes back', runsTaskBack, /way back/],
  [
    'runs old and new side by side where that is not wanted',
    (p, w, s) => next(p === 'recreate' ? 'blue-green' : p, w, s),
    /at the same time|old slot/,
  ],
  [
    'is done too early',
    whenWaiting((_, { snapshot }) => ({ type: 'done', route: snapshot.route.slots, addresses: [] })),
    /success|promised|went back|left/,
  ],
  ['does not know a deadline', (p, w, s) => next(p, w, { ...s, unreadyMs: 0 }), /did not end/],
  ['does not know a deadline of the task', (p, w, s) => next(p, w, { ...s, taskMs: 0 }), /did not end/],
  [
    'does not know a deadline on the way back',
    (p, w, s) => next(p, w, { ...s, goingBackMs: 0, broughtMs: 0 }),
    /did not end|nobody served/,
  ],
  ['forgets what is older', forgetsStale, /was left/],
  [
    'scales the route, too',
    (p, w, s) => next(p === 'scale' ? 'blue-green' : p, w, s),
    /moved the route|removed|closed/,
  ],
]

describe('the oracle', () => {
  it.each(mutants)('catches a procedure that %s', (_, mutant, what) => {
    const caught = firstFailure(mutant)
    expect(caught).toMatch(what)
  })
})

function firstFailure(decide: Next): string | undefined {
  for (let seed = 1; seed <= 1_500; seed += 1) {
    try {
      liveThrough(seed, decide)
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
  return undefined
}

function whenWaiting(then: (wanted: Wanted, seen: Seen) => Decision | undefined): Next {
  return (procedure, wanted, seen) => {
    const decision = next(procedure, wanted, seen)
    return decision.type === 'wait' ? (then(wanted, seen) ?? decision) : decision
  }
}

/** Another act instead of the first one that moves the route forward. */
function instead(then: (wanted: Wanted, seen: Seen) => Decision | undefined): Next {
  return (procedure, wanted, seen) => {
    const decision = next(procedure, wanted, seen)
    const forward = decision.type === 'act' && decision.action.type === 'route' && seen.instruction !== 'revert'
    return forward && procedure !== 'remove' && procedure !== 'recreate' ? (then(wanted, seen) ?? decision) : decision
  }
}

function routesEarly(...[procedure, wanted, seen]: Parameters<Next>): Decision {
  const { snapshot } = seen
  const early =
    slotOf(snapshot, wanted.slot) && !snapshot.route.slots.includes(wanted.slot) && procedure === 'blue-green'
  if (!early || seen.instruction !== 'promote') return next(procedure, wanted, seen)
  const { revision, route } = snapshot
  return { type: 'act', action: { type: 'route', revision, from: route.slots, to: [wanted.slot] } }
}

function removesOld({ replaces }: Wanted, { snapshot: { revision } }: Seen): Decision | undefined {
  return replaces && { type: 'act', action: { type: 'remove-slot', revision, slot: replaces.slot } }
}

function emptiesOld({ replaces }: Wanted, { snapshot: { revision } }: Seen): Decision | undefined {
  return replaces && { type: 'act', action: { type: 'ensure-slot', revision, ...replaces, replicas: 0 } }
}

function closes(_: Wanted, { snapshot: { revision, route } }: Seen): Decision | undefined {
  if (route.slots.length === 0) return undefined
  return { type: 'act', action: { type: 'route', revision, from: route.slots, to: [] } }
}

function takesTooMany(...[procedure, wanted, seen]: Parameters<Next>): Decision {
  const decision = next(procedure, wanted, seen)
  if (decision.type !== 'act' || decision.action.type !== 'ensure-slot' || procedure !== 'rolling') return decision
  const { action } = decision
  const fewer = action.slot === wanted.replaces?.slot && action.replicas > 1 && seen.instruction !== 'revert'
  return fewer ? { type: 'act', action: { ...action, replicas: action.replicas - 1 } } : decision
}

function goesBackEarly(...[procedure, wanted, seen]: Parameters<Next>): Decision {
  const { snapshot, instruction } = seen
  const { replaces } = wanted
  const away = replaces && replaces.slot !== wanted.slot && !snapshot.route.slots.includes(replaces.slot)
  if (instruction !== 'revert' || !away || procedure === 'remove') return next(procedure, wanted, seen)
  const { revision, route } = snapshot
  return { type: 'act', action: { type: 'route', revision, from: route.slots, to: [replaces.slot] } }
}

function leavesFailed(...[procedure, wanted, seen]: Parameters<Next>): Decision {
  const decision = next(procedure, wanted, seen)
  const removes = decision.type === 'act' && decision.action.type === 'remove-slot'
  if (!removes || seen.instruction !== 'revert') return decision
  return { type: 'done', route: seen.snapshot.route.slots, addresses: [] }
}

function runsTaskBack(...[procedure, wanted, seen]: Parameters<Next>): Decision {
  const { snapshot, instruction } = seen
  if (instruction !== 'revert' || !wanted.beforeSwitch || snapshot.tasks.length > 0)
    return next(procedure, wanted, seen)
  const { slot, release, image, spec, beforeSwitch } = wanted
  const { command } = beforeSwitch
  const { revision } = snapshot
  return { type: 'act', action: { type: 'run-once', revision, task: 't', slot, release, image, spec, command } }
}

function forgetsStale(...[procedure, wanted, seen]: Parameters<Next>): Decision {
  const { snapshot } = seen
  const needed = [wanted.slot, wanted.replaces?.slot, ...snapshot.route.slots]
  const slots = snapshot.slots.filter(({ id }) => needed.includes(id))
  return next(procedure, wanted, procedure === 'remove' ? seen : { ...seen, snapshot: { ...snapshot, slots } })
}
