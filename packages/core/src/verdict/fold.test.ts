import { describe, expect, it } from 'vitest'
import type { Evidence } from '../contracts/v1/runtime.js'
import type { InstanceState, SlotState } from '../contracts/v1/snapshot.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Wanted } from '../rollout/types.js'
import type { Diagnosis } from './diagnosis.js'
import { fold } from './fold.js'
import { endsIn, type Memory, nothingSeen, remember } from './memory.js'
import { linesOf, withOutput } from './output.js'
import { refusal } from './rules/refusal.js'

const wanted: Wanted = {
  slot: 'r2',
  release: 'web/production/2',
  image: { digest: 'sha256:2', name: 'harbor/web:2', pull: 'harbor.test/web@sha256:2' },
  spec: {
    env: {},
    port: 3000,
    health: { type: 'http', path: '/healthz', intervalMs: 1_000, timeoutMs: 1_000 },
    volumes: [],
    resources: { requests: {}, limits: { memoryBytes: 128 * 1024 * 1024 } },
    stopGraceMs: 1_000,
  },
  replicas: 1,
  replaces: undefined,
  beforeSwitch: undefined,
  readyWithinMs: 60_000,
  tolerance: { restarts: 3, silenceMs: 20_000 },
}

function instance(part: Partial<InstanceState>): InstanceState {
  return { id: 'r2-1', phase: 'running', ready: false, restarts: 0, ...part }
}

function slotOf(...instances: InstanceState[]): SlotState {
  return { id: 'r2', release: 'web/production/2', digest: 'sha256:2', replicas: instances.length, instances }
}

/** After all of these were seen, one after the other. */
function foldAll(slots: readonly SlotState[], times: { unreadyMs?: number; unchangedMs?: number } = {}) {
  const memory = slots.reduce<Memory>(remember, nothingSeen)
  return fold(slots.at(-1), wanted, { memory, environment: 'production', unreadyMs: 10_000, unchangedMs: 0, ...times })
}

const creating = (reason: string, message?: string) => instance({ phase: 'creating', reason, message })

const told: readonly (readonly [string, InstanceState, Diagnosis['code'], Diagnosis['verdict'], Diagnosis['owner']])[] =
  [
    [
      'a missing manifest',
      creating('ErrImagePull', 'failed to pull: manifest unknown'),
      'image-missing',
      'fatal',
      'registry',
    ],
    ['a name that is none', creating('InvalidImageName', 'invalid reference'), 'image-missing', 'fatal', 'registry'],
    [
      'a refused pull',
      creating('ErrImagePull', 'pull access denied, repository does not exist'),
      'image-denied',
      'fatal',
      'registry',
    ],
    ['a rate limit', creating('ErrImagePull', '429 Too Many Requests'), 'image-unavailable', 'transient', 'registry'],
    [
      'an untrusted certificate',
      creating('ErrImagePull', 'x509: unknown authority'),
      'image-unavailable',
      'transient',
      'configuration',
    ],
    [
      'a back-off without its reason',
      creating('ImagePullBackOff', 'Back-off pulling image "denied/not found"'),
      'image-unavailable',
      'transient',
      'registry',
    ],
    [
      'an image for another platform',
      creating('ErrImagePull', 'no match for platform in manifest: not found'),
      'wrong-architecture',
      'fatal',
      'dockerfile',
    ],
    [
      'an exec format error',
      instance({ phase: 'exited', reason: 'start-failed', message: 'exec /app: exec format error' }),
      'wrong-architecture',
      'fatal',
      'dockerfile',
    ],
    [
      'a missing secret',
      creating('CreateContainerConfigError', 'secret "db" not found'),
      'configuration-missing',
      'fatal',
      'configuration',
    ],
    [
      'a cache that is not loaded yet',
      creating('CreateContainerConfigError', 'failed to sync secret cache: timed out'),
      'configuration-missing',
      'transient',
      'configuration',
    ],
    [
      'a program that is not there',
      instance({ phase: 'exited', reason: 'start-failed', message: 'exec: "nod": executable file not found' }),
      'cannot-start',
      'fatal',
      'dockerfile',
    ],
    [
      'exit code 127',
      instance({ phase: 'exited', restarts: 1, exitCode: 127 }),
      'cannot-start',
      'likely',
      'dockerfile',
    ],
    [
      'exit code 126',
      instance({ phase: 'exited', restarts: 1, exitCode: 126 }),
      'cannot-start',
      'likely',
      'dockerfile',
    ],
    [
      'a mount that fails',
      instance({ phase: 'exited', reason: 'start-failed', message: 'its root could not be mounted' }),
      'cannot-start',
      'fatal',
      'platform',
    ],
    [
      'too much memory',
      instance({ phase: 'exited', restarts: 1, exitCode: 137, reason: 'OOMKilled' }),
      'out-of-memory',
      'likely',
      'configuration',
    ],
    ['a kill', instance({ phase: 'exited', restarts: 1, exitCode: 137 }), 'killed', 'likely', 'platform'],
    [
      'a stop from outside',
      instance({ phase: 'exited', restarts: 1, reason: 'SIGTERM' }),
      'killed',
      'likely',
      'platform',
    ],
    [
      'an end with code 1',
      instance({ phase: 'exited', restarts: 1, exitCode: 1, reason: 'exited' }),
      'application-exits',
      'likely',
      'code',
    ],
    [
      'no room',
      creating('Unschedulable', '0/3 nodes are available: 3 Insufficient memory.'),
      'not-scheduled',
      'transient',
      'platform',
    ],
    ['a refused connection', instance({ message: 'GET /healthz was refused' }), 'not-listening', 'transient', 'code'],
    [
      'a refused connection in the words of an edge',
      instance({ reason: 'L4CON', message: 'nothing accepts connections on the port' }),
      'not-listening',
      'transient',
      'code',
    ],
    [
      'a refused connection in the words of a kubelet',
      instance({ message: 'Readiness probe failed: dial tcp 10.0.0.7:3000: connect: connection refused' }),
      'not-listening',
      'transient',
      'code',
    ],
    ['a status of 500', instance({ message: 'GET /healthz answered 500' }), 'unhealthy', 'transient', 'code'],
    [
      'a status of 404',
      instance({ message: 'HTTP probe failed with statuscode: 404' }),
      'unhealthy',
      'transient',
      'configuration',
    ],
    [
      'no answer',
      instance({ message: 'GET /healthz did not answer within 1000 ms' }),
      'unhealthy',
      'transient',
      'code',
    ],
  ]

describe('a verdict', () => {
  it.each(told)('knows %s', (_, state, code, verdict, owner) => {
    const { diagnosis, failure } = foldAll([slotOf(state)])
    expect(diagnosis).toMatchObject({ code, verdict, owner })
    expect(diagnosis?.remedies.length).toBeGreaterThan(0)
    expect(failure !== undefined).toBe(verdict === 'fatal')
  })

  it('has nothing to say of instances that start', () => {
    expect(foldAll([slotOf(creating('ContainerCreating'))])).toEqual({ diagnosis: undefined })
  })

  it('does not take the first refused connections of a start for a fault', () => {
    const refused = slotOf(instance({ message: 'GET / was refused' }))
    expect(foldAll([refused], { unreadyMs: 4_000 }).diagnosis).toBeUndefined()
    expect(foldAll([refused], { unreadyMs: 5_000 }).diagnosis?.code).toBe('not-listening')
  })

  it('keeps the first precise words when the platform later only says that it backs off', () => {
    const first = slotOf(creating('ErrImagePull', 'unexpected status: 429 Too Many Requests'))
    const later = slotOf(creating('ImagePullBackOff', 'Back-off pulling image "x"'))
    expect(foldAll([first, later]).diagnosis?.message).toContain('429')
  })

  it('forgets why an image could not be pulled when it was pulled after all', () => {
    const pulled = slotOf(instance({ message: 'GET / answered 503' }))
    expect(foldAll([slotOf(creating('ErrImagePull', '429')), pulled]).diagnosis?.code).toBe('unhealthy')
  })

  it('puts up with fewer ends than the tolerance, over all instances together', () => {
    const ends = (one: number, other: number) =>
      slotOf(
        instance({ phase: 'exited', restarts: one, exitCode: 1 }),
        instance({ id: 'r2-2', phase: 'exited', restarts: other, exitCode: 1 }),
      )
    expect(foldAll([ends(1, 1)]).failure).toBeUndefined()
    expect(foldAll([ends(1, 2)]).failure).toMatchObject({ code: 'INSTANCE_CRASHED' })
  })

  it('counts the ends of instances that the platform has replaced', () => {
    const gone = ['a', 'b'].map((id) => slotOf(instance({ id, phase: 'exited', restarts: 1, exitCode: 1 })))
    const last = slotOf(instance({ id: 'c', phase: 'exited', exitCode: 1 }))
    expect(foldAll([...gone, last]).failure).toMatchObject({ code: 'INSTANCE_CRASHED', evidence: { ends: 3 } })
  })

  it('tells how it ended of an instance that runs again', () => {
    const exited = slotOf(instance({ phase: 'exited', restarts: 1, exitCode: 3 }))
    const running = slotOf(instance({ restarts: 1, message: 'GET / was refused' }))
    expect(foldAll([exited, running]).diagnosis?.message).toContain('exit code 3')
  })

  it('tells silence, and waits on', () => {
    const seen = foldAll([slotOf(instance({}))], { unchangedMs: 20_000 })
    expect(seen).toMatchObject({ diagnosis: { code: 'nothing-happens', verdict: 'silent' } })
    expect(seen.failure).toBeUndefined()
  })

  it('ends at the deadline with what is known, or with that nothing is', () => {
    const slow = foldAll([slotOf(instance({}))], { unreadyMs: 60_000 })
    expect(slow.failure).toMatchObject({ code: 'ROLLOUT_DEADLINE', diagnosis: { code: 'slow-start' } })
    expect(slow.diagnosis?.remedies.map(({ fix }) => fix)).toContainEqual({
      path: 'environments.production.readyWithinMs',
      value: 120_000,
    })
    const refused = foldAll([slotOf(instance({ message: 'GET / was refused' }))], { unreadyMs: 60_000 })
    expect(refused.failure).toMatchObject({ code: 'ROLLOUT_DEADLINE', diagnosis: { code: 'not-listening' } })
  })

  it('says for a missing and for a refused image what the error codes of registries say', () => {
    const code = (message: string) => foldAll([slotOf(creating('ErrImagePull', message))]).failure?.code
    expect(code('manifest unknown')).toBe('MANIFEST_UNKNOWN')
    expect(code('unauthorized')).toBe('REGISTRY_DENIED')
  })

  it('does not ask instances that stop', () => {
    expect(foldAll([slotOf(instance({ phase: 'stopping', exitCode: 1 }))]).diagnosis).toBeUndefined()
  })

  it('stays small however many instances come and go', () => {
    const many = Array.from({ length: 1_000 }, (_, index) => slotOf(instance({ id: `i${index}`, phase: 'exited' })))
    const memory = many.reduce<Memory>(remember, nothingSeen)
    expect(Object.keys(memory.instances)).toHaveLength(200)
    expect(endsIn(memory)).toBe(200)
  })

  it('comes to an end with long words', () => {
    const long = 'listening listening ready '.repeat(20_000)
    foldAll([slotOf(instance({ message: long })), slotOf(creating('ErrImagePull', long))])
    const told = withOutput(
      { ...deaf(), message: long },
      Array.from({ length: 200 }, () => long),
      about,
    )
    expect(told).toMatchObject({ code: deaf().code })
  })
})

const about = { spec: wanted.spec, environment: 'production', image: wanted.image }

function deaf(): Diagnosis {
  const { diagnosis } = foldAll([slotOf(instance({ message: 'GET / was refused' }))])
  if (!diagnosis) throw new Error('nothing was found')
  return diagnosis
}

describe('a fix', () => {
  it('doubles the memory limit', () => {
    const { diagnosis } = foldAll([slotOf(instance({ phase: 'exited', restarts: 1, reason: 'OOMKilled' }))])
    const fix = { path: 'environments.production.resources.limits.memory', value: '256Mi' }
    expect(diagnosis?.remedies[0]).toMatchObject({ fix })
  })

  it('sets the port that the platform’s message names', () => {
    const message = 'a connection to port 3000 was refused; node (process 7) listens on port 8080'
    const { diagnosis } = foldAll([slotOf(instance({ message }))])
    expect(diagnosis?.remedies[0]?.fix).toEqual({ path: 'environments.production.port', value: 8080 })
  })

  it.each([
    ['Server listening on http://localhost:8080', 8080],
    ['[12:30:45] started, port: 5000', 5000],
    ['Listening on port 80', 80],
    ['Listening on 0.0.0.0:3000', undefined],
    ['started at 12:30:45', undefined],
    ['nothing of the kind', undefined],
  ])('reads in the output “%s” the port %s', (line, port) => {
    const fixes = withOutput(deaf(), [line], about).remedies.flatMap(({ fix }) => fix ?? [])
    expect(fixes.map(({ value }) => value)).toEqual(port === undefined ? [] : [port])
  })

  it('is not offered for another port where it would change nothing', () => {
    const message = 'GET / was refused; node (process 7) listens on port 3000'
    const { diagnosis } = foldAll([slotOf(instance({ message }))])
    expect(diagnosis?.remedies.some(({ fix }) => fix !== undefined)).toBe(false)
  })
})

describe('output', () => {
  it('tells that a program is made for another processor where the platform only saw it end', () => {
    const { diagnosis } = foldAll([slotOf(instance({ phase: 'exited', restarts: 1, exitCode: 1 }))])
    const lines = ['/entrypoint.sh: line 3: /usr/bin/tool: cannot execute binary file: Exec format error']
    expect(diagnosis && withOutput(diagnosis, lines, about).code).toBe('wrong-architecture')
  })

  it('is put together as lines with how each instance ended', () => {
    const evidence: Evidence = {
      slot: 'r2',
      instances: [{ id: 'a', exitCode: 1, reason: 'exited', lastOutput: ['x'] }],
    }
    expect(linesOf(evidence)).toEqual(['a: exit code 1, exited', 'x'])
  })
})

describe('a refused write', () => {
  it.each([
    ['MANIFEST_UNKNOWN', 'image-missing'],
    ['REGISTRY_UNAUTHORIZED', 'image-denied'],
    ['RATE_LIMITED', 'image-unavailable'],
  ] as const)('with %s is about the image: %s', (code, diagnosed) => {
    expect(refusal(new KiwiError(code, 'pulling failed'), wanted)).toMatchObject({ code: diagnosed })
  })

  it('for another reason has no diagnosis', () => {
    expect(refusal(new KiwiError('PORT_TAKEN', 'no'), wanted)).toBeUndefined()
  })
})
