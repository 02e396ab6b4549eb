import type { HttpAnswer } from './connect.js'

/** Nobody waits longer, and a nonsensical header must not make a run wait for years. */
const longestSeconds = 7 * 24 * 60 * 60

/** How long an answer asks to wait: `Retry-After` in seconds or as a date (RFC 9110 §10.2.3), or Docker Hub's `X-Retry-After`, a Unix time. */
export function secondsToWait({ header }: Pick<HttpAnswer, 'header'>): number | undefined {
  const own = header('x-retry-after')?.trim()
  const after = header('retry-after')?.trim()
  const now = Date.parse(header('date') ?? '') || Date.now() // by the clock of who says when
  const seconds =
    own !== undefined && /^\d{10,13}$/.test(own) ? Number(own.slice(0, 10)) - now / 1000 : parseAfter(after ?? own, now)
  return seconds === undefined ? undefined : Math.min(Math.max(Math.ceil(seconds), 0), longestSeconds)
}

function parseAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,12}(?:\.\d+)?$/.test(text)) return Number(text)
  const at = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : (at - now) / 1000
}
