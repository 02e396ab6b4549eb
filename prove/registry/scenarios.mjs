import { seeded } from '../harness.mjs'

/**
 * @typedef {import('../../packages/adapter-registry/src/testing/fault-server.ts').Fault} Fault
 * @typedef {{ request: string, count: number, fault: Fault }} Planned `count` 0: each time
 * @typedef {object} Scenario
 * @property {number} seed
 * @property {'push' | 'pull'} direction
 * @property {boolean} survivable
 * @property {string} [code] of the error where it is not
 * @property {number[]} layers sizes in bytes
 * @property {boolean} login
 * @property {boolean} wrongPassword
 * @property {boolean} distribution
 * @property {boolean} forgetsCut
 * @property {number} [chunkBytes]
 * @property {number} [mounted] the layer that another repository has
 * @property {Planned[]} faults
 */

const count = 1_200
/** A request is sent five times at most: no more than these may fail of one scenario. */
const mostFaults = 4
const html = { body: '<html><h1>Bad Gateway</h1></html>', headers: { 'content-type': 'text/html' } }

/**
 * @param {number} seed
 * @returns {Scenario[]}
 */
export function planScenarios(seed) {
  return Array.from({ length: count }, (_, index) => scenarioOf(seed * 100_000 + index))
}

/**
 * @param {number} seed
 * @returns {Scenario}
 */
function scenarioOf(seed) {
  const random = seeded(seed, 'registry')
  const direction = random.chance(0.65) ? 'push' : 'pull'
  const size = () => (random.chance(0.1) ? 1_100_000 + random.integer(900_000) : 3_000 + random.integer(150_000))
  const base = {
    seed,
    direction: /** @type {'push' | 'pull'} */ (direction),
    layers: Array.from({ length: 1 + random.integer(3) }, size),
    login: random.chance(0.5),
    wrongPassword: false,
    distribution: random.chance(0.7),
    forgetsCut: random.chance(0.2),
    ...(direction === 'push' && random.chance(0.3) && { chunkBytes: 20_000 + random.integer(100_000) }),
  }
  if (random.chance(0.25)) return fatal(base, random)
  const mounted = direction === 'push' && random.chance(0.2) ? { mounted: 0 } : {}
  return { ...base, ...mounted, survivable: true, faults: passing(base, random) }
}

/**
 * @param {Omit<Scenario, 'survivable' | 'faults'>} base
 * @param {ReturnType<typeof seeded>} random
 * @returns {Planned[]}
 */
function passing(base, random) {
  const kinds = base.direction === 'push' ? pushFaults(base, random) : pullFaults(base, random)
  /** @type {Map<string, number>} */
  const counts = new Map()
  let expired = false
  return Array.from({ length: 1 + random.integer(mostFaults) }, () => {
    const { request, make } = random.pick(kinds)
    let fault = make()
    // a second token that is refused right after it was given is not an expired one: that is a denial
    if (fault.kind === 'expire' && expired) fault = refusals(random)
    expired ||= fault.kind === 'expire'
    // one after the other, or with others that go well in between
    const count = (counts.get(request) ?? 0) + 1 + (random.chance(0.3) ? random.integer(2) : 0)
    counts.set(request, count)
    return { request, count, fault }
  })
}

/** @param {ReturnType<typeof seeded>} random */
function refusals(random) {
  const wait = String(2 + random.integer(50))
  return random.pick(
    /** @type {Fault[]} */ ([
      { kind: 'answer', status: 429, headers: { 'retry-after': wait } },
      { kind: 'answer', status: 429, headers: { 'retry-after': `in ${wait}` } },
      { kind: 'answer', status: 500 },
      { kind: 'answer', status: 502, ...html },
      { kind: 'answer', status: 503, headers: { 'retry-after': '1' } },
      { kind: 'answer', status: 504, ...html },
      { kind: 'answer', status: 408 },
    ]),
  )
}

/**
 * @param {Omit<Scenario, 'survivable' | 'faults'>} base
 * @param {ReturnType<typeof seeded>} random
 */
function pushFaults({ login, chunkBytes }, random) {
  const cut = () => ({ kind: /** @type {const} */ ('cut'), afterBytes: 2 + random.integer(20_000) })
  const simple = (/** @type {'lost-answer' | 'lost-location' | 'purge' | 'expire'} */ kind) => () => ({ kind })
  const trickle = () => ({ kind: /** @type {const} */ ('trickle'), pieceBytes: 1, pauseMs: 1 })
  const sending = ['PUT upload', ...(chunkBytes ? ['PATCH upload'] : [])]
  /** @type {{ request: string, make: () => Fault }[]} */
  return [
    ...['HEAD blob', 'HEAD manifest', 'POST start', 'PUT manifest', 'GET upload', ...sending].flatMap((request) => [
      { request, make: () => refusals(random) },
      { request, make: simple('lost-answer') },
    ]),
    ...sending.flatMap((request) => [
      ...[1, 2, 3].map(() => ({ request, make: cut })),
      { request, make: simple('purge') },
      { request, make: trickle },
      ...(login ? [{ request, make: simple('expire') }] : []),
    ]),
    { request: 'POST start', make: simple('lost-location') },
    { request: 'PATCH upload', make: simple('lost-location') },
    { request: 'GET upload', make: simple('lost-location') },
    ...(login ? [{ request: 'GET token', make: () => refusals(random) }] : []),
  ]
}

/**
 * @param {Omit<Scenario, 'survivable' | 'faults'>} base
 * @param {ReturnType<typeof seeded>} random
 */
function pullFaults({ login }, random) {
  const afterBytes = () => 1 + random.integer(100_000)
  /** @type {{ request: string, make: () => Fault }[]} */
  return [
    ...['HEAD manifest', 'GET manifest', 'GET blob'].map((request) => ({ request, make: () => refusals(random) })),
    { request: 'GET manifest', make: () => ({ kind: 'cut', afterBytes: 10 }) },
    ...[1, 2, 3].map(() => ({
      request: 'GET blob',
      make: () => ({ kind: /** @type {const} */ ('cut'), afterBytes: afterBytes() }),
    })),
    { request: 'GET blob', make: () => ({ kind: 'truncate', afterBytes: afterBytes() }) },
    { request: 'GET blob', make: () => ({ kind: 'trickle', pieceBytes: 8_000, pauseMs: 1 }) },
    ...(login ? [{ request: 'GET blob', make: () => /** @type {Fault} */ ({ kind: 'expire' }) }] : []),
    ...(login ? [{ request: 'GET token', make: () => refusals(random) }] : []),
  ]
}

/**
 * Something that does not pass, beside things that do.
 * @param {Omit<Scenario, 'survivable' | 'faults'>} base
 * @param {ReturnType<typeof seeded>} random
 * @returns {Scenario}
 */
function fatal(base, random) {
  const push = base.direction === 'push'
  const always = (/** @type {string} */ request, /** @type {Fault} */ fault) => ({ request, count: 0, fault })
  const body = push ? (base.chunkBytes ? 'PATCH upload' : 'PUT upload') : 'GET blob'
  const request = random.pick(
    push ? ['HEAD blob', 'POST start', body, 'PUT manifest'] : ['HEAD manifest', 'GET manifest', body],
  )
  const answer = (/** @type {number} */ status, headers = {}) =>
    always(request, { kind: 'answer', status, headers, ...(status === 502 && html) })
  const kinds = [
    { code: 'RATE_LIMITED', faults: [answer(429, { 'retry-after': '7200' })] },
    { code: 'RATE_LIMITED', faults: [answer(429, { 'retry-after': 'in 7200' })] },
    { code: 'RATE_LIMITED', faults: [answer(429)] },
    { code: 'REGISTRY_FAILED', faults: [answer(500)] },
    { code: 'REGISTRY_FAILED', faults: [answer(502)] },
    { code: 'REGISTRY_DENIED', faults: [answer(403)] },
    { code: 'REGISTRY_UNAUTHORIZED', faults: [answer(401)] },
    { code: 'REGISTRY_UNREACHABLE', faults: [always(request, { kind: 'cut', afterBytes: 0 })] },
    { code: 'DIGEST_MISMATCH', faults: [always(push ? 'PUT upload' : 'GET blob', { kind: 'damage' })] },
    { code: 'REGISTRY_UNAUTHORIZED', faults: [], login: true, wrongPassword: true },
  ]
  const { code, faults, ...rest } = random.pick(kinds)
  // small blobs go whole, also where there are chunks
  const alone = faults.flatMap((one) =>
    one.request === 'PATCH upload' ? [one, { ...one, request: 'PUT upload' }] : [one],
  )
  return { ...base, ...rest, survivable: false, code, faults: alone }
}
