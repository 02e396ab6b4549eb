import { describe, expect, it } from 'vitest'
import { systemClock } from '../../clock.js'
import type { Builder } from '../../contracts/v1/builder.js'
import type { Clock } from '../../contracts/v1/clock.js'
import type { Source } from '../../contracts/v1/source.js'
import type { SourceChange, Trigger } from '../../contracts/v1/trigger.js'
import { KiwiError } from '../../errors/kiwi-error.js'
import { memoryBuilder } from '../memory-builder.js'
import { type MemorySource, memorySource } from '../memory-source.js'
import { type MemoryTrigger, memoryTrigger } from '../memory-trigger.js'
import { type TestClock, testClock } from '../test-clock.js'
import { type BuilderKitOptions, builderKit } from './builder.js'
import { clockKit } from './clock.js'
import { failuresOf } from './mutants.js'
import { type KitCommit, sourceKit } from './source.js'
import { triggerKit } from './trigger.js'

type Mutants<Inner, Contract> = readonly (readonly [
  what: string,
  caught: string,
  mutant: (inner: Inner) => Partial<Contract>,
])[]

describe('builders', () => {
  const broken = 'FROM scratch\nRUN false\n'
  const windows = 'FROM windows\n'
  const make = () =>
    memoryBuilder({
      steps: 3,
      fails: ({ dockerfile }) =>
        dockerfile === broken ? new KiwiError('BUILD_STEP_FAILED', 'it ended with 1') : undefined,
      fit: ({ dockerfile }) =>
        dockerfile === windows
          ? { ok: false, missing: [{ what: 'Windows', line: 1, cure: 'Use a builder on Windows.' }] }
          : { ok: true, missing: [] },
    })
  const options: Omit<BuilderKitOptions, 'builder'> = {
    failing: [{ dockerfile: broken, code: 'BUILD_STEP_FAILED' }],
    unfit: windows,
  }
  const builder = make()

  describe('the memory builder', () => {
    for (const one of builderKit({ ...options, builder: () => builder })) it(one.name, one.run)
  })

  const whole = 'makes a whole image, of the platform and with the labels asked for'
  const finds = 'finds the image that an operation made, and none of another'
  const mutants: Mutants<Builder, Builder> = [
    ['never finds', finds, () => ({ find: async () => undefined })],
    [
      'finds the last image for any operation',
      finds,
      (inner) => {
        let last = ''
        return {
          find: () => inner.find(last, {} as never), // the memory builder asks nothing of it
          async build(request, io, context) {
            const built = await inner.build(request, io, context)
            last = context.operation.id
            return built
          },
        }
      },
    ],
    [
      'mixes up what is built at once',
      'keeps apart what is built at once',
      (inner) => {
        let newest = ''
        return {
          build(request, io, context) {
            newest = context.operation.id
            return Promise.resolve().then(() =>
              inner.build(request, io, { ...context, operation: { ...context.operation, id: newest } }),
            )
          },
        }
      },
    ],
    [
      'fits everything',
      'says what it lacks for a Dockerfile that it cannot build, and what cures that',
      () => ({ fit: async () => ({ ok: true, missing: [] }) }),
    ],
    [
      'fits nothing',
      'says that it can build, and builds nothing to find that out',
      () => ({ fit: async () => ({ ok: false, missing: [] }) }),
    ],
    [
      'is never the same twice',
      'makes the same image of the same request, and another of another',
      (inner) => ({
        build: (request, io, context) =>
          inner.build({ ...request, labels: { ...request.labels, id: context.operation.id } }, io, context),
      }),
    ],
    [
      'drops labels',
      whole,
      (inner) => ({ build: (request, io, context) => inner.build({ ...request, labels: {} }, io, context) }),
    ],
    [
      'builds for its own platform',
      whole,
      (inner) => ({
        build: (request, io, context) =>
          inner.build({ ...request, platform: { os: 'linux', architecture: 'riscv64' } }, io, context),
      }),
    ],
    [
      'counts wrongly',
      whole,
      (inner) => ({ build: async (...parameters) => ({ ...(await inner.build(...parameters)), sizeBytes: 0 }) }),
    ],
    [
      'forgets the configuration',
      whole,
      (inner) => ({
        build: (request, io, context) =>
          inner.build(
            request,
            {
              ...io,
              sink: {
                ...io.sink,
                blob: async (upload, at) => {
                  const bytes = Buffer.concat(await Array.fromAsync(upload.open(0)))
                  if (upload.mediaType.includes('config'))
                    return { mediaType: upload.mediaType, digest: `sha256:${'0'.repeat(64)}`, size: bytes.length }
                  return io.sink.blob({ ...upload, open: () => once(bytes) }, at)
                },
              },
            },
            context,
          ),
      }),
    ],
    [
      'does not end its steps',
      'reports each step’s beginning and end, in order',
      (inner) => ({
        build: (request, io, context) =>
          inner.build(request, io, {
            ...context,
            report: (fact) => void (fact.type !== 'step-ended' && context.report(fact)),
          }),
      }),
    ],
    [
      'builds although the signal has fired',
      'makes no image once the signal has fired',
      (inner) => ({
        build: (request, io, context) => inner.build(request, io, { ...context, signal: new AbortController().signal }),
      }),
    ],
    [
      'takes a failed step for a success',
      'fails with BUILD_STEP_FAILED where it should, and has no image to be found',
      (inner) => ({
        build: (request, io, context) => inner.build({ ...request, dockerfile: 'FROM scratch' }, io, context),
      }),
    ],
  ]

  it.each(mutants)('a builder that %s is caught: %s', async (_, caught, mutant) => {
    const inner = make()
    const cases = builderKit({ ...options, builder: () => ({ ...inner, ...mutant(inner) }) })
    expect([...(await failuresOf(cases, caught)).keys()]).toContain(caught)
  })
})

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

describe('sources', () => {
  const make = (history: readonly KitCommit[]) => {
    const source = memorySource()
    const commits = history.map(({ branch, files, subject, tag }) =>
      source.commit(branch, files, { subject, ...(tag !== undefined && { tag }) }),
    )
    return { source, commits }
  }

  describe('the memory source', () => {
    for (const one of sourceKit({ source: async (history) => make(history) })) it(one.name, one.run)
  })

  const resolves = 'resolves a branch, a tag, a commit and the beginning of one'
  const mutants: Mutants<MemorySource, Source> = [
    [
      'lists branches only',
      'lists branches and tags, the default branch first',
      (inner) => ({
        async *refs(context) {
          for await (const ref of inner.refs(context)) if (ref.kind === 'branch') yield ref
        },
      }),
    ],
    [
      'does not say which branch is the default one',
      'lists branches and tags, the default branch first',
      (inner) => ({
        async *refs(context) {
          for await (const { default: _, ...ref } of inner.refs(context)) yield ref
        },
      }),
    ],
    [
      'takes the default branch for anything',
      'names what is close to a ref that it does not have',
      (inner) => ({
        resolve: (ref, context) => inner.resolve(ref, context).catch(() => inner.resolve('main', context)),
      }),
    ],
    [
      'names nothing close',
      'names what is close to a ref that it does not have',
      (inner) => ({
        resolve: (ref, context) =>
          inner.resolve(ref, context).catch((error: KiwiError) => {
            throw new KiwiError(error.code, error.message)
          }),
      }),
    ],
    [
      'passes options on',
      'refuses refs that are none',
      (inner) => ({ resolve: (ref, context) => inner.resolve(ref.startsWith('-') ? 'main' : ref, context) }),
    ],
    [
      'has no subjects',
      resolves,
      (inner) => ({ resolve: async (ref, context) => ({ ...(await inner.resolve(ref, context)), subject: '' }) }),
    ],
    [
      'knows no beginnings of commits',
      resolves,
      (inner) => ({
        resolve: (ref, context) => inner.resolve(/^[0-9a-f]{10}$/.test(ref) ? 'no-such-branch' : ref, context),
      }),
    ],
    [
      'opens the newest commit whatever is asked',
      'opens exactly the files of a commit, also of an older one',
      (inner) => ({ open: async (_, context) => inner.open(await inner.resolve('main', context), context) }),
    ],
    [
      'opens one directory for all',
      'opens a directory of its own each time, and deletes it on dispose',
      (inner) => {
        let opened: ReturnType<Source['open']> | undefined
        return {
          open(revision, context) {
            opened ??= inner.open(revision, context)
            return opened
          },
        }
      },
    ],
    [
      'leaves directories behind',
      'opens a directory of its own each time, and deletes it on dispose',
      (inner) => ({
        open: async (revision, context) => ({
          directory: (await inner.open(revision, context)).directory,
          [Symbol.asyncDispose]: async () => undefined,
        }),
      }),
    ],
    [
      'does not tell removed files',
      'tells what changed between two commits, where it says that it can',
      (inner) => ({
        changed: async (from, to, context) =>
          (await inner.changed(from, to, context)).filter((path) => path !== 'dir/b.txt'),
      }),
    ],
    [
      'ignores its signal',
      'does nothing once its signal has fired',
      (inner) => ({
        resolve: (ref, context) => inner.resolve(ref, { ...context, signal: new AbortController().signal }),
      }),
    ],
  ]

  it.each(mutants)('a source that %s is caught: %s', async (_, caught, mutant) => {
    const cases = sourceKit({
      async source(history) {
        const { source, commits } = make(history)
        return { source: { ...source, ...mutant(source) }, commits }
      },
    })
    expect([...(await failuresOf(cases, caught)).keys()]).toContain(caught)
  })
})

describe('triggers', () => {
  const secrets = { HOOK: 'open sesame' }
  const made: SourceChange = { repository: 'https://git.test/web', ref: 'main', kind: 'branch', commit: 'a'.repeat(40) }
  const good = memoryTrigger().delivery([made], secrets.HOOK)
  const kitOf = (make: () => { trigger: Trigger; inner: MemoryTrigger }) => {
    const { trigger, inner } = make()
    let count = 0
    return triggerKit({
      trigger: () => trigger,
      deliveries: [{ delivery: good, changes: [made] }],
      secrets,
      async change() {
        count += 1
        const change = { ...made, ref: `branch-${count}` }
        inner.change(change)
        return change
      },
    })
  }
  const newTrigger = () => memoryTrigger({ password: { secret: 'HOOK' } })

  describe('the memory trigger', () => {
    const inner = newTrigger()
    for (const one of kitOf(() => ({ trigger: inner, inner }))) it(one.name, one.run)
  })

  const polls = 'tells a change once to each cursor, and nothing at the first look'
  const mutants: Mutants<MemoryTrigger, Trigger> = [
    [
      'takes every delivery for its own',
      'leaves a delivery alone that is not meant for it',
      (inner) => ({ receive: (delivery, context) => inner.receive({ ...delivery, path: '/memory' }, context) }),
    ],
    [
      'throws on a bad body',
      'refuses bodies that are no deliveries, and never throws',
      (inner) => ({
        receive(delivery, context) {
          JSON.parse(Buffer.from(delivery.body).toString())
          return inner.receive(delivery, context)
        },
      }),
    ],
    ['reads nothing', 'reads what deliveries say, the same each time', () => ({ receive: async () => [] })],
    [
      'forgets at every poll where it was',
      polls,
      (inner) => ({ poll: async (_, context) => inner.poll(undefined, context) }),
    ],
    [
      'tells all at the first look',
      polls,
      (inner) => ({ poll: async (cursor, context) => inner.poll(cursor ?? 0, context) }),
    ],
    [
      'remembers by itself what it told',
      polls,
      (inner) => {
        let own: number | undefined
        return {
          async poll(_, context) {
            const answer = await inner.poll(own, context)
            own = Number(answer.cursor)
            return answer
          },
        }
      },
    ],
  ]

  it.each(mutants)('a trigger that %s is caught: %s', async (_, caught, mutant) => {
    const inner = newTrigger()
    const cases = kitOf(() => ({ trigger: { ...inner, ...mutant(inner) }, inner }))
    expect([...(await failuresOf(cases, caught)).keys()]).toContain(caught)
  })

  it('a signed trigger that takes what was forged is caught', async () => {
    const options = { deliveries: [{ delivery: good, changes: [made] }], secrets, signed: true }
    const failures = await failuresOf(triggerKit({ ...options, trigger: () => memoryTrigger() }))
    expect([...failures.keys()]).toContain('refuses what was forged')
  })
})

describe('clocks', () => {
  const moved = (clock: Clock, milliseconds: number) => (clock as TestClock).advance(milliseconds) // what is made here

  describe('the clock of the machine', () => {
    for (const one of clockKit({ clock: () => systemClock })) it(one.name, one.run)
  })
  describe('a test clock moved by hand', () => {
    for (const one of clockKit({ clock: () => testClock(), advance: moved })) it(one.name, one.run)
  })
  describe('a test clock that advances by itself', () => {
    for (const one of clockKit({ clock: () => testClock({ autoAdvance: true }) })) it(one.name, one.run)
  })

  const mutants: Mutants<TestClock, Clock> = [
    [
      'counts seconds',
      'tells milliseconds since 1970, and never goes back',
      ({ now }) => ({ now: () => now() / 1000 }),
    ],
    ['does not sleep', 'sleeps as long as it was told, by its own time', () => ({ sleep: async () => undefined })],
    [
      'wakes in the order of falling asleep',
      'wakes the one first that has to sleep less',
      ({ sleep }) => {
        let last: Promise<unknown> = Promise.resolve()
        return {
          sleep(milliseconds, signal) {
            const before = last
            const own = sleep(milliseconds, signal).then(async () => void (await before))
            last = own.catch(() => undefined)
            return own
          },
        }
      },
    ],
    [
      'has a reason of its own',
      'wakes at once with the signal’s reason',
      ({ sleep }) => ({
        sleep: (milliseconds, signal) =>
          sleep(milliseconds, signal).catch(() => {
            throw new Error('aborted')
          }),
      }),
    ],
    [
      'sleeps through',
      'does not fall asleep when the signal has fired',
      ({ sleep }) => ({
        sleep: (milliseconds, signal) => (signal.aborted ? Promise.resolve() : sleep(milliseconds, signal)),
      }),
    ],
  ]

  it.each(mutants)('a clock that %s is caught: %s', async (_, caught, mutant) => {
    const make = () => {
      const inner = testClock({ autoAdvance: true })
      return { now: inner.now, sleep: inner.sleep, ...mutant(inner) }
    }
    expect([...(await failuresOf(clockKit({ clock: make }), caught)).keys()]).toContain(caught)
  })
})
