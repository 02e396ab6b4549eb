import type { ImageAtUse, InstanceSpec } from '../../contracts/v1/actions.js'
import type { Procedure, SlotWanted, Wanted } from '../types.js'
import { type Random, randomFrom } from './random.js'

/** What becomes of a slot's instances once they are started. */
export type Fate = 'good' | 'slow' | 'never' | 'crashes' | 'unstartable' | 'unpullable' | 'flaky'

export interface StandingSlot {
  readonly id: string
  readonly release: string
  readonly replicas: number
  /** Instances that are ready to begin with. */
  readonly ready: number
  readonly fate: Fate
}

/** How often what goes wrong, each a probability per look or per act. */
export interface Faults {
  /** A ready instance ends. */
  readonly deaths: number
  /** Someone else changes slots or the route. */
  readonly foreign: number
  /** A request is lost, or its answer, or an accepted act has no effect. */
  readonly lost: number
  readonly conflicts: number
  /** The runtime refuses for good. */
  readonly refusals: number
  /** The process is killed: before an act, after it, or between. */
  readonly crashes: number
  /** A look shows an older state. */
  readonly stale: number
}

/** All that a history is made of besides its dice. */
export interface Scenario {
  readonly seed: number
  readonly kind: 'first' | 'update' | 'rollback' | 'same' | 'scale' | 'remove'
  readonly procedure: Procedure
  readonly wanted: Wanted
  readonly standing: readonly StandingSlot[]
  readonly route: readonly string[]
  readonly fate: Fate
  readonly task: 'succeeds' | 'fails' | 'hangs'
  readonly faults: Faults
  readonly commands: readonly { readonly at: number; readonly type: 'hold' | 'promote' | 'revert' }[]
  /** Whether the journal keeps what the rollout asks it to keep. */
  readonly keeps: boolean
}

export const readyWithinMs = 20_000
export const taskWithinMs = 15_000
/** No fault and no command after that. */
export const quietAfterMs = 150_000

const spec: InstanceSpec = {
  env: {},
  port: 3000,
  health: { type: 'http', path: '/', intervalMs: 1_000, timeoutMs: 1_000 },
  volumes: [],
  resources: { requests: {}, limits: {} },
  stopGraceMs: 5_000,
}

/** One of endlessly many; the same seed gives the same. */
export function scenarioOf(seed: number): Scenario {
  const random = randomFrom(seed)
  const procedure = random.pick<Procedure>([
    'blue-green',
    'rolling',
    'recreate',
    'blue-green',
    'rolling',
    'recreate',
    'scale',
    'remove',
  ])
  const changes = procedure === 'scale' || procedure === 'remove'
  const kind = changes
    ? procedure
    : random.pick(['first', 'update', 'update', 'update', 'rollback', 'rollback', 'same'] as const)
  const old = slotWanted('r2', 2, random.between(1, 4))
  const wanted = wantedOf(random, kind, old)
  return {
    seed,
    kind,
    procedure,
    wanted,
    standing: standingOf(random, kind, old),
    route: kind === 'first' ? [] : [old.slot],
    fate: fateOf(random, kind),
    task: random.pick(['succeeds', 'succeeds', 'succeeds', 'fails', 'hangs']),
    faults: faultsOf(random),
    commands: commandsOf(random),
    keeps: random.chance(0.7),
  }
}

function wantedOf(random: Random, kind: Scenario['kind'], old: SlotWanted): Wanted {
  const replicas = random.between(1, 4)
  const changes = kind === 'scale' || kind === 'remove' || kind === 'same'
  const own = kind === 'rollback' ? slotWanted('r1', 1, replicas) : slotWanted('r3', 3, replicas)
  const isNew = kind === 'first' || kind === 'update'
  return {
    ...(changes ? { ...old, replicas: kind === 'remove' ? old.replicas : replicas } : own),
    release: kind === 'scale' || kind === 'remove' ? old.release : 'web/production/3',
    replaces: kind === 'first' ? undefined : old,
    beforeSwitch: isNew && random.chance(0.4) ? { command: ['migrate'], withinMs: taskWithinMs } : undefined,
    readyWithinMs,
    tolerance: { restarts: 3, silenceMs: 5_000 },
  }
}

function slotWanted(slot: string, number: number, replicas: number): SlotWanted {
  const image: ImageAtUse = {
    digest: `sha256:${number}`,
    name: `web:${number}`,
    pull: `memory.test/web@sha256:${number}`,
  }
  return { slot, release: `web/production/${number}`, image, spec, replicas }
}

function standingOf(random: Random, kind: Scenario['kind'], old: SlotWanted): StandingSlot[] {
  if (kind === 'first') return random.chance(0.1) ? [standing('r0', 0, 1, 1)] : []
  const broken = random.chance(0.1)
  const ready = broken ? random.between(0, old.replicas - 1) : old.replicas
  const routed: StandingSlot = { ...standing('r2', 2, old.replicas, ready), fate: broken ? 'never' : 'good' }
  const kept = random.pick(['empty', 'whole', 'absent'] as const)
  const count = kept === 'whole' ? random.between(1, 4) : 0
  const before = kept === 'absent' ? [] : [standing('r1', 1, count, count)]
  return [routed, ...before, ...(random.chance(0.2) ? [standing('r0', 0, 1, 1)] : [])]
}

function standing(id: string, number: number, replicas: number, ready: number): StandingSlot {
  return { id, release: `web/production/${number}`, replicas, ready, fate: 'good' }
}

function fateOf(random: Random, kind: Scenario['kind']): Fate {
  if (kind === 'same' || kind === 'rollback') return random.pick(['good', 'good', 'good', 'slow', 'never'])
  return random.pick(['good', 'good', 'good', 'slow', 'flaky', 'never', 'crashes', 'unstartable', 'unpullable'])
}

/** Half of the histories have no fault that takes instances away or comes from others: there the promises hold without any excuse. */
function faultsOf(random: Random): Faults {
  const calm = random.chance(0.5)
  const sometimes = (most: number) => (random.chance(0.4) ? random.next() * most : 0)
  return {
    deaths: calm ? 0 : sometimes(0.1),
    foreign: calm ? 0 : sometimes(0.05),
    lost: sometimes(0.3),
    conflicts: sometimes(0.3),
    refusals: sometimes(0.03),
    crashes: sometimes(0.15),
    stale: sometimes(0.3),
  }
}

function commandsOf(random: Random): Scenario['commands'] {
  const at = () => random.between(0, 60_000)
  const held = random.chance(0.25)
  const from = at() * Number(random.chance(0.5))
  const holds = held
    ? [
        { at: from, type: 'hold' as const },
        { at: from + at(), type: 'promote' as const },
      ]
    : []
  return [...holds, ...(random.chance(0.25) ? [{ at: at(), type: 'revert' as const }] : [])]
}
