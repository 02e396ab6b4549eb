import type { Clock } from '../contracts/v1/clock.js'
import type { Context } from '../contracts/v1/context.js'
import { type ErrorRecord, KiwiError } from '../errors/kiwi-error.js'
import type { Kept } from '../rollout/progress.js'
import { type Deployed, rollOut } from './deploy.js'
import { instructionOf } from './instruction.js'
import type { EnvironmentRun } from './pipeline-run.js'
import { revise, step } from './step.js'

/** Tries within this time: the first request on a new route may still meet a half-closed path. */
const patienceMs = 5_000
const betweenTriesMs = 100

/** Why the route goes back: kept before it does, so that a crash on the way back does not forget it. */
interface Failed {
  readonly wrong: ErrorRecord
  readonly kept?: Kept | undefined
}

/** Asks the service through its route, as a user would; when it does not answer as asked, puts the route back and fails. */
export function verify(run: EnvironmentRun, deployed: Deployed): Promise<Deployed> {
  return step<Failed | undefined, Deployed>(run, 'verify', {
    async do(context, failed, since) {
      const wrong = failed?.wrong ?? (await check(run, deployed, context)) ?? (await changedMind(run))
      if (wrong === undefined) return deployed
      if (!failed) await revise(run, 'verify', { wrong })
      return goBack(run, deployed, failed ?? { wrong }, context, since)
    },
  })
}

/** What is wrong with the answer; nothing for a service that is not HTTP. A rollback is asked what its own release was asked. */
async function check(run: EnvironmentRun, deployed: Deployed, context: Context): Promise<ErrorRecord | undefined> {
  const { verify: asked } = deployed.deployment
  const [address] = deployed.addresses
  if (!address?.startsWith('http')) return undefined
  const path = asked?.path ?? deployed.deployment.wanted.spec.health.path ?? '/'
  const deadline = run.clock.now() + patienceMs
  for (;;) {
    const wrong = await ask(new URL(path, address), asked?.status, run.clock, context.signal)
    if (wrong === undefined) return undefined
    if (run.clock.now() > deadline)
      return new KiwiError('VERIFY_FAILED', wrong, { stage: 'verify', effect: 'done' }).toRecord()
    await run.clock.sleep(betweenTriesMs, context.signal)
  }
}

/** A revert or cancel that was given after the rollout. */
async function changedMind(run: EnvironmentRun): Promise<ErrorRecord | undefined> {
  return (await instructionOf(run)).because?.toRecord()
}

async function ask(
  url: URL,
  wanted: number | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | undefined> {
  const answered = new AbortController()
  const late = clock.sleep(patienceMs, AbortSignal.any([signal, answered.signal])).then(() => answered.abort())
  late.catch(() => undefined) // it answered, or the run stops
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, answered.signal]), redirect: 'manual' })
    await response.body?.cancel()
    const good = wanted === undefined ? response.status < 400 : response.status === wanted
    return good ? undefined : `${url} answered ${response.status}${wanted === undefined ? '' : ` instead of ${wanted}`}`
  } catch (error) {
    signal.throwIfAborted()
    if (answered.signal.aborted) return `${url} did not answer within ${patienceMs} ms`
    return `${url} did not answer: ${error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)}`
  } finally {
    answered.abort()
  }
}

async function goBack(
  run: EnvironmentRun,
  { deployment }: Deployed,
  { wrong, kept }: Failed,
  context: Context,
  since: number,
): Promise<never> {
  const because = KiwiError.fromRecord(wrong)
  await rollOut(run, deployment, {
    context,
    since,
    kept,
    keep: (news) => revise(run, 'verify', { wrong, kept: run.redacted(news) }),
    instruction: async () => ({ instruction: 'revert', because }),
  })
  throw because
}
