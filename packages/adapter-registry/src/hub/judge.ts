import type { Judgement, Refusal } from '../errors.js'
import { secondsToWait } from '../wait.js'
import { limitsIn, sayLimits } from './limits.js'

/** What Docker Hub means by refusals that other registries word differently. */
export function hubJudge(refusal: Refusal): Judgement | undefined {
  const { status, words, attempt } = refusal
  if (status === 429) return judgePulls(refusal)
  // its API tells a missing right to delete as 500 too, with the answer of the service behind it inside
  if (/insufficient scope/i.test(words.message) || (status === 500 && /status=401\b/.test(words.message)))
    return { code: 'REGISTRY_DENIED', why: `${attempt.host} does not allow it to this access token`, hint: scopeHint }
  if (/organization access token/i.test(words.message))
    return { code: 'REGISTRY_DENIED', why: `${attempt.host} does not take organization access tokens for it` }
  return undefined
}

export const scopeHint =
  'Personal access tokens: Read & Write pushes, Read, Write, Delete removes too. Organization access tokens: Image Push, Image Delete and Tag Admin for this repository.'

/** Its own requests are limited too, with other words (and `X-Retry-After`): those mean what they mean everywhere. */
function judgePulls({ words, header, attempt: { host, signedIn } }: Refusal): Judgement | undefined {
  const limits = limitsIn(header)
  if (!/pull rate limit/i.test(words.message) && limits.remaining !== 0) return undefined
  const figures = limits.limit === undefined ? '' : ` (${sayLimits(limits)})`
  const seconds = secondsToWait({ header })
  const wait = seconds === undefined ? '' : `; it asks to wait ${seconds} s`
  const who = signedIn ? 'this account' : 'this address'
  return {
    code: 'RATE_LIMITED',
    why: `${host} gives ${who} no more pulls for now${figures}${wait}`,
    hint: signedIn ? 'Wait, pull through a mirror, or use an account with a paid subscription.' : anonymousHint,
  }
}

const anonymousHint = 'Sign in for a limit of your own, pull through a mirror, or wait.'
