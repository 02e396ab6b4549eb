import { type Context, KiwiError } from '@kiwi/core'
import type { Client } from '../client.js'
import type { HttpAnswer } from '../connect.js'
import { pullScope } from '../scopes.js'
import { secondsToWait } from '../wait.js'

/** How many manifests may still be pulled. All `undefined` where there is no limit (a paid subscription). */
export interface PullLimits {
  /** Pulls in each window. */
  readonly limit: number | undefined
  readonly remaining: number | undefined
  readonly windowSeconds: number | undefined
  /** Whom Docker Hub counts them for: the id of an account, or an address. */
  readonly source: string | undefined
}

/** Made by Docker for this question. */
const preview = 'ratelimitpreview/test'

/** Asks with HEAD, which is not counted (Docker's documentation, "Docker Hub pull usage and limits"). */
export async function readLimits(client: Client, context: Context): Promise<PullLimits> {
  const doing = 'read the pull limits of docker.io'
  const answer = await client.send(
    { method: 'HEAD', to: `/v2/${preview}/manifests/latest`, scopes: [pullScope(preview)], expect: [200, 429], doing },
    context,
  )
  await answer.discard()
  const limits = limitsIn((name) => answer.header(name))
  if (answer.status === 429 && limits.limit === undefined) throw limitedAltogether(answer, doing)
  return limits
}

function limitedAltogether(answer: HttpAnswer, doing: string): KiwiError {
  const retryAfterSeconds = secondsToWait(answer)
  const wait = retryAfterSeconds === undefined ? '' : `; it asks to wait ${retryAfterSeconds} s`
  const why = `docker.io limits all requests of this address for now${wait}`
  return new KiwiError('RATE_LIMITED', `cannot ${doing}: ${why}`, {
    evidence: { host: 'docker.io', status: 429, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) },
  })
}

/** `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 20;w=21600`, `docker-ratelimit-source: 192.0.2.1`. */
export function limitsIn(header: (name: string) => string | undefined): PullLimits {
  const whole = partsOf(header('ratelimit-limit'))
  const left = partsOf(header('ratelimit-remaining'))
  const source = header('docker-ratelimit-source')?.trim().slice(0, 100)
  return { limit: whole.count, remaining: left.count, windowSeconds: whole.seconds ?? left.seconds, source }
}

function partsOf(value: string | undefined): { readonly count?: number; readonly seconds?: number } {
  const [, count, seconds] = /^\s*(\d{1,9})(?:\s*;\s*w=(\d{1,9}))?/.exec(value ?? '') ?? []
  return {
    ...(count !== undefined && { count: Number(count) }),
    ...(seconds !== undefined && { seconds: Number(seconds) }),
  }
}

/** `20 of 100 in 6 h`, `unlimited`. */
export function sayLimits({ limit, remaining, windowSeconds }: PullLimits): string {
  if (limit === undefined) return 'unlimited'
  const window = windowSeconds === undefined ? '' : ` in ${Math.round(windowSeconds / 360) / 10} h`
  return remaining === undefined ? `${limit}${window}` : `${remaining} of ${limit}${window}`
}
