import type { Judgement, Refusal } from '../errors.js'

/**
 * What Harbor means by refusals that other registries word differently
 * (its src/pkg/quota/errors.go, src/server/middleware/{readonly,repoproxy,immutable}).
 */
export function harborJudge({ words, attempt: { host } }: Refusal): Judgement | undefined {
  const { message } = words
  if (/exceed the configured upper limit/i.test(message)) {
    return { code: 'REGISTRY_QUOTA_EXCEEDED', why: `it does not fit into the quota of the project on ${host}` }
  }
  if (/read.?only mode/i.test(message)) {
    return { code: 'REGISTRY_DENIED', why: `${host} is set to read only`, hint: readOnlyHint }
  }
  if (/proxy(?: cache)? project/i.test(message)) {
    return { code: 'REGISTRY_DENIED', why: 'the project is a cache of another registry', hint: proxyHint }
  }
  return undefined
}

const readOnlyHint =
  'An administrator set Harbor to read only (during garbage collection or an upgrade); try again when it is over.'
export const proxyHint = 'Nobody can push to a proxy-cache project; push to an ordinary project.'
