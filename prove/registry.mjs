// Pushes and pulls through a registry that goes wrong: refusals for now and for good, resets in the middle of bodies, answers that are lost or
// cut short, uploads and tokens that are forgotten, alone and together. Each scenario says itself whether it can be survived. Believed is only
// the server's own record: what it stores, which bytes came over the wire and from which offset, how often a request was sent.
import { inspect } from 'node:util'
import { ociRegistry } from '@kiwi/adapter-registry'
import { KiwiError, pipe } from '@kiwi/core'
import { memoryImages, testContext } from '@kiwi/core/testing'
import { faultServer } from '../packages/adapter-registry/src/testing/fault-server.ts'
import { imageOf } from './registry/image.mjs'
import { check } from './registry/oracle.mjs'
import { planScenarios } from './registry/scenarios.mjs'

export const timeoutMs = 20_000
export const atOnce = 4
const login = { username: 'kiwi', password: 's3cret-P@ss w0rd' }
const figures = { survivable: 0, succeeded: 0, fatal: 0, refusedRightly: 0, resumed: 0 }

export const plan = planScenarios

export async function setup() {
  return { [Symbol.asyncDispose]: async () => console.log(JSON.stringify(figures)) }
}

/**
 * @param {import('./registry/scenarios.mjs').Scenario} scenario
 * @param {AbortSignal} signal
 */
export async function runScenario(scenario, signal) {
  const image = imageOf(scenario)
  /** @type {number[]} */
  const waits = []
  await using server = await faultServer({
    distribution: scenario.distribution,
    forgetsCut: scenario.forgetsCut,
    ...(scenario.login && { login }),
    fault: ({ kind, method }, count) => faultFor(scenario, `${method} ${kind}`, count),
  })
  if (scenario.direction === 'pull') image.storeAt(server)
  if (scenario.mounted !== undefined) image.storeLayerAt(server, scenario.mounted)
  const password = { secret: scenario.wrongPassword ? 'WRONG' : 'PASSWORD' }
  await using registry = ociRegistry({
    host: server.host,
    plainHttp: true,
    retry: { wait: async (milliseconds) => void waits.push(milliseconds) },
    ...(scenario.login && { credentials: { username: login.username, password } }),
    ...(scenario.chunkBytes && { chunkBytes: scenario.chunkBytes }),
  })
  const context = testContext({ signal, secrets: { PASSWORD: login.password, WRONG: `${login.password}!` } })
  const copy = memoryImages()
  const work = async () => {
    if (scenario.direction === 'push') {
      const source = { ...image.source, origin: { registry: server.host, repository: 'base' } }
      return pipe(source, registry.sink('web'), { tag: 'v1' }, context)
    }
    return pipe(
      await registry.source({ repository: 'web', reference: 'v1' }, context),
      copy.sink,
      { tag: 'v1' },
      context,
    )
  }
  const error = await work().then(
    () => undefined,
    (thrown) => thrown,
  )
  if (scenario.survivable) figures.survivable += 1
  else figures.fatal += 1
  const told = inspect([error, KiwiError.is(error) && error.toRecord(), context.facts, context.text()], { depth: 12 })
  const basic = Buffer.from(`${login.username}:${login.password}`).toString('base64')
  const secrets = [login.password, encodeURIComponent(login.password), basic, ...server.tokens]
  for (const secret of secrets) if (told.includes(secret)) throw new Error('a secret is told')
  if (scenario.survivable && error) throw new Error(`it should have been survived: ${inspect(error)}`)
  if (!scenario.survivable) {
    const code = KiwiError.is(error) ? error.code : error === undefined ? 'no failure' : inspect(error)
    if (code !== scenario.code) throw new Error(`expected ${scenario.code}, got ${code}`)
  }
  figures.resumed += check({ scenario, server, image, copy: copy.contents, waits, error })
  if (scenario.survivable) figures.succeeded += 1
  else figures.refusedRightly += 1
}

/**
 * @param {import('./registry/scenarios.mjs').Scenario} scenario
 * @param {string} request
 * @param {number} count
 * @returns {import('../packages/adapter-registry/src/testing/fault-server.ts').Fault | undefined}
 */
function faultFor({ faults }, request, count) {
  const fault = faults.find((one) => one.request === request && (one.count === 0 || one.count === count))?.fault
  if (fault?.kind !== 'answer' || !fault.headers?.['retry-after']?.startsWith('in ')) return fault
  const at = Date.now() + Number(fault.headers['retry-after'].slice(3)) * 1000
  return { ...fault, headers: { 'retry-after': new Date(at).toUTCString() } }
}
