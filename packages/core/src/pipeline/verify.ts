import type { Context } from '../contracts/v1/context.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { type Deployed, rollOut } from './deploy.js'
import { environmentOf } from './lookup.js'
import type { PipelineRun } from './pipeline-run.js'
import { step } from './step.js'

/** Tries within this time: the first request on a new route may still meet a half-closed path. */
const patienceMs = 5_000
const betweenTriesMs = 100

/** Asks the service once through its route, as a user would; when it does not answer as asked, puts the route back and fails. */
export function verify(run: PipelineRun, deployed: Deployed): Promise<Deployed> {
  return step(run, 'verify', {
    async do(context, _, since) {
      const wrong = await check(run, deployed, context)
      if (wrong !== undefined) await goBack(run, deployed, wrong, context, since)
      return deployed
    },
  })
}

/** What is wrong with the answer, in one sentence; nothing for a service that is not HTTP. */
async function check(run: PipelineRun, { addresses }: Deployed, context: Context): Promise<string | undefined> {
  const { verify: asked, health } = environmentOf(run)
  const [address] = addresses
  if (!address?.startsWith('http')) return undefined
  const url = new URL(asked?.path ?? health?.path ?? '/', address)
  const deadline = run.clock.now() + patienceMs
  for (;;) {
    const wrong = await ask(url, asked?.status, context.signal)
    if (wrong === undefined || run.clock.now() > deadline) return wrong
    await run.clock.sleep(betweenTriesMs, context.signal)
  }
}

async function ask(url: URL, wanted: number | undefined, signal: AbortSignal): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal, redirect: 'manual' })
    await response.body?.cancel()
    const good = wanted === undefined ? response.status < 400 : response.status === wanted
    return good ? undefined : `${url} answered ${response.status}${wanted === undefined ? '' : ` instead of ${wanted}`}`
  } catch (error) {
    signal.throwIfAborted()
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
    return `${url} did not answer: ${cause}`
  }
}

async function goBack(
  run: PipelineRun,
  { deployment }: Deployed,
  wrong: string,
  context: Context,
  since: number,
): Promise<never> {
  const because = new KiwiError('VERIFY_FAILED', wrong, { stage: 'verify', effect: 'done' })
  await rollOut(run, deployment, context, since, async () => ({ instruction: 'revert', because }))
  throw because
}
