import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import type { Action, InstanceSpec } from '../../../contracts/v1/actions.js'
import type { Context } from '../../../contracts/v1/context.js'
import type { Runtime, Target } from '../../../contracts/v1/runtime.js'
import type { InstanceState, Snapshot } from '../../../contracts/v1/snapshot.js'
import { KiwiError } from '../../../errors/kiwi-error.js'
import { type Fate, type MemoryRuntime, type MemoryRuntimeOptions, memoryRuntime } from '../../memory-runtime/index.js'
import { type TestClock, testClock } from '../../test-clock.js'
import { failuresOf } from '../mutants.js'
import { kitVariables, type RuntimeKitOptions, runtimeKit, shellPrograms } from './index.js'

const image = (name: string) => ({
  digest: `sha256:${name}`,
  name: `web:${name}`,
  pull: `memory.test/web@sha256:${name}`,
})
const images = [image('one'), image('two')] as const
const programOf = ({ entrypoint = [], command = [] }: InstanceSpec) => [...entrypoint, ...command].join(' ')
const { crashes, sleeps, fails, checks } = shellPrograms

/** A memory runtime on which the kit's programs do what they should. */
function memory(more: MemoryRuntimeOptions = {}): MemoryRuntime {
  const fates: Record<string, Fate> = {
    [crashes.join(' ')]: { exits: 3, says: 'the database is not there' },
    [sleeps.join(' ')]: 'never',
    '/no/such/program': 'cannot-start',
  }
  const good = (env: Readonly<Record<string, string>>) =>
    env.KIT_PLAIN === kitVariables.plain && env.KIT_SECRET === kitVariables.secret && env.PORT === '3000'
  return memoryRuntime({
    health: (_, spec) => fates[programOf(spec)] ?? 'ready',
    prints: (_, spec, id) => (programOf(spec) === sleeps.join(' ') ? 'it sleeps' : `${id} started`),
    task({ action: { command }, env }) {
      if (command === fails) return { exits: 4, says: 'there is no such table' }
      if (command === checks) return { exits: good(env) ? 0 : 5 }
      return command === sleeps ? 'hangs' : 'succeeds'
    },
    addresses: ['http://127.0.0.1:9'],
    ...more,
  })
}

const spec = { env: {}, port: 1, volumes: [], resources: { requests: {}, limits: {} }, stopGraceMs: 1 }
const planted = {
  image: 'web:old',
  replicas: 2,
  spec: { ...spec, health: { type: 'tcp', intervalMs: 1, timeoutMs: 1 } },
  notes: [],
} as const

function kit(make: (clock: TestClock) => MemoryRuntime, wrap: (inner: MemoryRuntime) => Runtime = (inner) => inner) {
  const clock = testClock({ autoAdvance: true })
  const inner = make(clock)
  const runtime = wrap(inner)
  const options: RuntimeKitOptions = {
    runtime: () => runtime,
    images: async () => images,
    async foreign(target) {
      inner.plant(target, 'theirs', planted)
      return { selector: 'theirs' }
    },
    clock,
  }
  return runtimeKit(options)
}

describe('the memory runtime', () => {
  for (const one of kit((clock) => memory({ clock }))) it(one.name, one.run)
})

describe('a slow memory runtime that routes to one slot', () => {
  const slow = { startsAfterMs: 900, stopsAfterMs: 700, settlesAfterMs: 800, drainsAfterMs: 300, taskTakesMs: 2_000 }
  for (const one of kit((clock) => memory({ clock, ...slow, traits: { routes: 'one' } }))) it(one.name, one.run)
})

describe('a memory runtime that answers requests, on the machine’s clock', () => {
  const servers: { close(): void }[] = []
  afterAll(() => servers.forEach((server) => void server.close()))
  /** One server for all targets: the last that was routed answers. */
  const serving = async (answers: (digest: string) => string): Promise<readonly [Runtime, address: string]> => {
    let turn = 0
    let routed: readonly string[] = []
    const server = createServer((_, response) => {
      const digest = routed[turn++ % Math.max(1, routed.length)]
      response.writeHead(digest === undefined ? 503 : 200)
      response.end(digest === undefined ? 'closed' : answers(digest))
    }).listen(0, '127.0.0.1')
    servers.push(server)
    await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
    const inner = memory({ addresses: [url] })
    const act: Runtime['act'] = async (target, action, context) => {
      await inner.act(target, action, context)
      const { slots } = inner.snapshot(target)
      if (action.type === 'route') routed = slots.filter(({ id }) => action.to.includes(id)).map(({ digest }) => digest)
    }
    const claim: Runtime['claim'] = async (target, context) => {
      if (target.publish.port !== 0) await listensOn(target.publish.port)
      await inner.claim(target, context)
    }
    return [{ ...inner, act, claim }, url]
  }
  const options = { images: async () => images, answers: ['one', 'two'], sharesPorts: true, quietMs: 10 } as const
  const kitOf = async (answers: (digest: string) => string) => {
    const [runtime] = await serving(answers)
    const cases = runtimeKit({ ...options, runtime: () => runtime, withinMs: 1_000 })
    return cases.filter(({ name }) => /route|port|address/.test(name))
  }

  it('passes', async () => {
    expect(await failuresOf(await kitOf((digest) => digest.slice('sha256:'.length)))).toEqual(new Map())
  })

  it('fails when requests reach another slot than the routed one', async () => {
    const failures = await failuresOf(await kitOf(() => 'one'))
    expect([...failures.keys()]).toContain('moves the route to a slot, to another and back')
    expect([...failures.keys()]).toContain(
      'routes to several slots at once, where it says that it can, and else refuses',
    )
  })
})

async function listensOn(port: number): Promise<void> {
  const server = createTcpServer().listen(port, '127.0.0.1')
  await new Promise((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', () => reject(new KiwiError('PORT_TAKEN', `${port} is taken`)))
  })
  server.close()
}

type Mutant = (inner: MemoryRuntime) => Partial<Runtime>
const freely = (context: Context, token: number): Context => ({
  ...context,
  operation: { ...context.operation, fence: { ...context.operation.fence, token } },
})
/** What is shown, changed. */
const showing =
  (change: (seen: Snapshot, target: Target) => Snapshot): Mutant =>
  (inner) => ({
    async *observe(target, context) {
      for await (const seen of inner.observe(target, context)) yield change(seen, target)
    },
  })
const instances = (change: (one: InstanceState) => InstanceState): Mutant =>
  showing((seen) => ({
    ...seen,
    slots: seen.slots.map((slot) => ({ ...slot, instances: slot.instances.map(change) })),
  }))
/** Orders, changed on their way. */
const acting =
  (change: (action: Action, seen: Snapshot, target: Target) => Action | undefined): Mutant =>
  (inner) => ({
    async act(target, action, context) {
      const changed = change(action, inner.snapshot(target), target)
      if (changed) await inner.act(target, changed, context)
    },
  })

const mutants: readonly (readonly [what: string, caught: string, mutant: Mutant])[] = [
  [
    'says nothing in its probe',
    'says in a probe what answers',
    () => ({ probe: async () => ({ ok: true, summary: '', details: {} }) }),
  ],
  [
    'accepts older claims',
    'refuses a claim with an older token, and keeps the newer one',
    (inner) => ({ claim: (target, context) => inner.claim(target, context).catch(() => undefined) }),
  ],
  [
    'lets the last claim win, not the newest',
    'gives the target to the newest of many claims at once',
    (inner) => {
      const last = new Map<string, number>()
      return {
        async claim(target, context) {
          await inner.claim(target, context).catch(() => undefined)
          last.set(target.service, context.operation.fence.token)
        },
        ...showing((seen, { service }) => ({ ...seen, fence: last.get(service) ?? seen.fence }))(inner),
      }
    },
  ],
  [
    'counts every claim as an order',
    'shows the token of a claim, and nothing that runs',
    (inner) => {
      let claims = 0
      return {
        claim: async (target, context) => {
          await inner.claim(target, context)
          claims += 1
        },
        ...showing((seen) => ({ ...seen, revision: `${seen.revision}-${claims}` }))(inner),
      }
    },
  ],
  [
    'claims although the signal has fired',
    'does not claim once its signal has fired',
    (inner) => ({
      claim: (target, context) => inner.claim(target, { ...context, signal: new AbortController().signal }),
    }),
  ],
  [
    'acts although the signal has fired',
    'changes nothing once the signal has fired',
    (inner) => ({
      act: (target, action, context) => inner.act(target, action, { ...context, signal: new AbortController().signal }),
    }),
  ],
  [
    'never shows the act',
    'brings a slot up with as many instances as ordered, and routes nothing to it',
    showing((seen) => ({ ...seen, slots: [] })),
  ],
  [
    'shows only the first state',
    'shows an observer what changes after it began',
    (inner) => ({
      async *observe(target, { signal }) {
        yield inner.snapshot(target)
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
    }),
  ],
  [
    'goes on observing for ever',
    'stops observing when the signal fires',
    (inner) => ({
      async *observe(target, context) {
        yield* inner.observe(target, context)
        await new Promise(() => {})
      },
    }),
  ],
  [
    'guesses a fence',
    'shows nothing of a target that was never claimed',
    showing((seen) => ({ ...seen, fence: Math.max(1, seen.fence) })),
  ],
  [
    'ignores the revision',
    'refuses an order that was decided on an older state, and changes nothing',
    acting((action, { revision }) => ({ ...action, revision })),
  ],
  [
    'ignores the token',
    'refuses every order of an overtaken operation',
    (inner) => ({
      act: (target, action, context) => inner.act(target, action, freely(context, inner.snapshot(target).fence)),
    }),
  ],
  [
    'ignores where the route was',
    'refuses to move the route from where it is not',
    acting((action, { route }) => (action.type === 'route' ? { ...action, from: route.slots } : action)),
  ],
  [
    'accepts both of two moves',
    'lets one of two moves win that were decided on the same state',
    acting((action, { revision, route }) =>
      action.type === 'route' ? { ...action, revision, from: route.slots } : action,
    ),
  ],
  [
    'moves the revision when something becomes ready',
    'moves the revision with an order, not when an instance becomes ready',
    (inner) => {
      const count = ({ slots }: Snapshot) => slots.flatMap((slot) => slot.instances.filter(({ ready }) => ready)).length
      const change = (seen: Snapshot) => ({ ...seen, revision: `${seen.revision}.${count(seen)}` })
      return {
        ...showing(change)(inner),
        act: (target, action, context) =>
          inner.act(target, { ...action, revision: action.revision.split('.')[0] ?? '' }, context),
      }
    },
  ],
  [
    'moves the revision with an order that changes nothing',
    'leaves a slot alone that is as it was ordered',
    (inner) => ({
      ...showing((seen) => ({ ...seen, revision: `${seen.revision}.${inner.acts.length}` }))(inner),
      act: (target, action, context) =>
        inner.act(target, { ...action, revision: action.revision.split('.')[0] ?? '' }, context),
    }),
  ],
  [
    'never starts more than one instance',
    'brings a slot up with as many instances as ordered, and routes nothing to it',
    acting((action) =>
      action.type === 'ensure-slot' ? { ...action, replicas: Math.min(1, action.replicas) } : action,
    ),
  ],
  [
    'never makes a slot smaller',
    'makes a slot larger, smaller, empty and full again',
    acting((action, { slots }) => {
      if (action.type !== 'ensure-slot') return action
      const there = slots.find(({ id }) => id === action.slot)?.replicas ?? 0
      return { ...action, replicas: Math.max(there, action.replicas) }
    }),
  ],
  [
    'replaces all instances when the size changes',
    'makes a slot larger, smaller, empty and full again',
    showing((seen) => ({
      ...seen,
      slots: seen.slots.map((slot) => ({
        ...slot,
        instances: slot.instances.map((one) => ({ ...one, id: `${one.id}-${slot.replicas}` })),
      })),
    })),
  ],
  [
    'has one instance id for all',
    'brings a slot up with as many instances as ordered, and routes nothing to it',
    instances((one) => ({ ...one, id: 'x' })),
  ],
  [
    'replaces the other slots',
    'keeps slots beside each other',
    showing((seen) => ({ ...seen, slots: seen.slots.slice(-1) })),
  ],
  [
    'has one target for all environments',
    'keeps targets apart',
    (inner) => {
      const same = (target: Target) => ({ ...target, environment: 'test' })
      return {
        claim: (target, context) => inner.claim(same(target), context),
        observe: (target, context) => inner.observe(same(target), context),
        act: (target, action, context) => inner.act(same(target), action, context),
      }
    },
  ],
  [
    'routes to a slot by itself',
    'brings a slot up with as many instances as ordered, and routes nothing to it',
    showing((seen) => ({ ...seen, route: { ...seen.route, slots: seen.slots.map(({ id }) => id) } })),
  ],
  [
    'never settles',
    'moves the route to a slot, to another and back',
    showing((seen) => ({ ...seen, route: { ...seen.route, settled: false } })),
  ],
  [
    'has another address with every route',
    'keeps its addresses whatever is routed',
    showing((seen) => ({ ...seen, route: { ...seen.route, addresses: [`http://a/${seen.route.slots}`] } })),
  ],
  [
    'does not close',
    'closes the service when the route goes to no slot',
    acting((action) => (action.type === 'route' && action.to.length === 0 ? undefined : action)),
  ],
  [
    'says one slot and takes many',
    'routes to several slots at once, where it says that it can, and else refuses',
    ({ traits }) => ({ traits: { ...traits, routes: 'one' } }),
  ],
  [
    'says many slots and takes one',
    'routes to several slots at once, where it says that it can, and else refuses',
    acting((action) => (action.type === 'route' ? { ...action, to: action.to.slice(0, 1) } : action)),
  ],
  [
    'removes what is routed',
    'refuses to remove a slot that gets the traffic',
    (inner) => ({
      async act(target, action, context) {
        const { revision, route } = inner.snapshot(target)
        if (action.type !== 'remove-slot' || !route.slots.includes(action.slot))
          return inner.act(target, action, context)
        await inner.act(target, { type: 'route', revision, from: route.slots, to: [] }, context)
        await inner.act(target, { ...action, revision: inner.snapshot(target).revision }, context)
      },
    }),
  ],
  [
    'keeps what should be removed',
    'removes a slot with its instances, and no other',
    acting((action) => (action.type === 'remove-slot' ? undefined : action)),
  ],
  [
    'keeps the target',
    'removes the target when no slot is left, and begins anew with the next claim',
    acting((action) => (action.type === 'remove-target' ? undefined : action)),
  ],
  [
    'removes a target that has slots',
    'removes the target when no slot is left, and begins anew with the next claim',
    (inner) => ({
      act: (target, action, context) =>
        action.type === 'remove-target'
          ? inner.act(target, action, context).catch(() => undefined)
          : inner.act(target, action, context),
    }),
  ],
  [
    'runs a command again',
    'does not run a command again that has that name already',
    (inner) => {
      const renamed = (id: string) => id.split('#')[0] ?? id
      let times = 0
      return {
        act: (target, action, context) =>
          inner.act(
            target,
            action.type === 'run-once' ? { ...action, task: `${action.task}#${times++}` } : action,
            context,
          ),
        ...showing((seen) => ({ ...seen, tasks: seen.tasks.map((task) => ({ ...task, id: renamed(task.id) })) }))(
          inner,
        ),
      }
    },
  ],
  [
    'calls every command a success',
    'shows a command that failed, and what it said',
    showing((seen) => ({
      ...seen,
      tasks: seen.tasks.map((task) => ({ ...task, phase: 'succeeded' as const, exitCode: 0 })),
    })),
  ],
  [
    'forgets commands that have ended',
    'runs a command once to its end, outside every slot',
    showing((seen) => ({ ...seen, tasks: seen.tasks.filter(({ phase }) => phase === 'running') })),
  ],
  [
    'shows a command as a slot',
    'runs a command once to its end, outside every slot',
    showing((seen) => ({
      ...seen,
      slots: [
        ...seen.slots,
        ...seen.tasks.map(({ id }) => ({ id, release: id, digest: '', replicas: 1, instances: [] })),
      ],
    })),
  ],
  [
    'expands variables',
    'gives a command its variables as they are, secrets too, and shows them nowhere',
    acting((action) => {
      if (action.type !== 'run-once' || action.spec.env.KIT_PLAIN === undefined) return action
      return { ...action, spec: { ...action.spec, env: { ...action.spec.env, KIT_PLAIN: 'expanded' } } }
    }),
  ],
  [
    'shows secrets',
    'gives a command its variables as they are, secrets too, and shows them nowhere',
    showing((seen) => ({ ...seen, tasks: seen.tasks.map((task) => ({ ...task, message: kitVariables.secret })) })),
  ],
  [
    'keeps the commands of a slot that is gone',
    'removes a command with its slot, also one that runs and where there is no slot',
    acting((action, { slots }) =>
      action.type === 'remove-slot' && !slots.some(({ id }) => id === action.slot) ? undefined : action,
    ),
  ],
  [
    'does without missing secrets',
    'needs every secret before it makes anything',
    acting((action) => ('spec' in action ? { ...action, spec: { ...action.spec, env: {} } } : action)),
  ],
  [
    'does without a command’s missing secrets',
    'refuses a command with a missing secret before it makes anything',
    acting((action) => (action.type === 'run-once' ? { ...action, spec: { ...action.spec, env: {} } } : action)),
  ],
  [
    'loses exit codes',
    'shows an instance that ends by itself, that it is started again, and what it said',
    instances(({ exitCode: _, ...one }) => one),
  ],
  [
    'does not start again',
    'shows an instance that ends by itself, that it is started again, and what it said',
    instances((one) => ({ ...one, restarts: 0 })),
  ],
  [
    'has no output in its evidence',
    'shows an instance that ends by itself, that it is started again, and what it said',
    (inner) => ({
      async evidence(...parameters) {
        const found = await inner.evidence(...parameters)
        return { ...found, instances: found.instances.map((one) => ({ ...one, lastOutput: [] })) }
      },
    }),
  ],
  [
    'fails for evidence of nothing',
    'has evidence also of a slot that is not there',
    (inner) => ({
      async evidence(...parameters) {
        const found = await inner.evidence(...parameters)
        if (found.instances.length === 0) throw new KiwiError('RUNTIME_FAILED', 'there is no such slot')
        return found
      },
    }),
  ],
  [
    'takes what runs for what is ready',
    'does not call an instance ready that does not pass its health check',
    instances((one) => ({ ...one, ready: one.phase === 'running' })),
  ],
  [
    'has no reason for what cannot start',
    'says why a program can never be started',
    instances(({ reason: _, ...one }) => one),
  ],
  [
    'has logs that never end',
    'gives what instances print, where it says that it can, and ends',
    (inner) => ({
      logs: (target, slot, options, context) =>
        inner.logs?.(target, slot, { ...options, follow: true }, context) ?? none(),
    }),
  ],
  [
    'has no lines in its logs',
    'gives what instances print, where it says that it can, and ends',
    () => ({ logs: none }),
  ],
  [
    'refuses with errors that are no KiwiErrors',
    'refuses an order that was decided on an older state, and changes nothing',
    (inner) => ({
      act: (...parameters) =>
        inner.act(...parameters).catch((error: unknown) => {
          throw new Error(String(error))
        }),
    }),
  ],
  [
    'does not know the effect of a refusal',
    'refuses every order of an overtaken operation',
    (inner) => ({
      act: (...parameters) =>
        inner.act(...parameters).catch((error: unknown) => {
          throw KiwiError.is(error) ? new KiwiError(error.code, error.message, { effect: 'unknown' }) : error
        }),
    }),
  ],
  [
    'restarts what it takes over',
    'takes over what others made, restarting nothing',
    instances((one) => ({ ...one, restarts: one.id.startsWith('taken') ? 1 : one.restarts })),
  ],
  [
    'takes over when asked to describe',
    'takes over what others made, restarting nothing',
    (inner) => ({
      async adoptable(target, selector, context) {
        const found = await inner.adoptable?.(target, selector, context)
        if (found) await inner.adopt?.(target, selector, 'early', context)
        return found
      },
    }),
  ],
  [
    'takes layouts and has no sink',
    'can describe what it can take over, and has a sink where it does not pull',
    ({ traits }) => ({ traits: { ...traits, takes: ['layout'] } }),
  ],
]

async function* none(): AsyncGenerator<never> {}

describe('a runtime that', () => {
  it.each(mutants)('%s is caught: %s', async (_, caught, mutant) => {
    const cases = kit(
      (clock) => memory({ clock }),
      (inner) => ({ ...inner, ...mutant(inner) }),
    )
    expect([...(await failuresOf(cases, caught)).keys()]).toContain(caught)
  })
})
