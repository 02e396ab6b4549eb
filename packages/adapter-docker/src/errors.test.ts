import { KiwiError } from '@kiwi/core'
import { expect, it } from 'vitest'
import { afterWrite, attempt, fromPull, tolerate } from './errors.js'

const answer = (statusCode: number, message: string) =>
  Object.assign(new Error(`(HTTP code ${statusCode}) unexpected - ${message}`), { statusCode, json: { message } })
const fails = (thrown: unknown) => attempt('starting', 'unknown', () => Promise.reject(thrown))

it('says that the engine is unreachable, and that nothing happened when it was never asked', async () => {
  const refused = Object.assign(new Error('connect ENOENT /no.sock'), { code: 'ENOENT' })
  await expect(fails(refused)).rejects.toMatchObject({ code: 'RUNTIME_UNREACHABLE', effect: 'none' })
})

it('does not know what happened when the connection broke without an answer', async () => {
  const broken = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
  await expect(fails(broken)).rejects.toMatchObject({ code: 'RUNTIME_UNREACHABLE', effect: 'unknown' })
})

it('does not say that nothing happened after a first write', async () => {
  const none = new KiwiError('RUNTIME_FAILED', 'no', { hint: 'this' })
  await expect(afterWrite(() => Promise.reject(none))).rejects.toMatchObject({ effect: 'done', hint: 'this' })
  const unknown = new KiwiError('RUNTIME_FAILED', 'no', { effect: 'unknown' })
  await expect(afterWrite(() => Promise.reject(unknown))).rejects.toBe(unknown)
})

it('passes the engine’s own sentence on', async () => {
  await expect(fails(answer(500, 'driver failed'))).rejects.toMatchObject({
    code: 'RUNTIME_FAILED',
    message: 'starting: driver failed',
    effect: 'none',
  })
})

it.each([
  'driver failed programming external connectivity: Bind for 127.0.0.1:80 failed: port is already allocated',
  'Error starting userland proxy: listen tcp4 127.0.0.1:80: bind: address already in use',
])('recognises a port that is taken: %s', async (message) => {
  await expect(fails(answer(500, message))).rejects.toMatchObject({ code: 'PORT_TAKEN' })
})

it('does not take an address inside the network for a published port', async () => {
  await expect(fails(answer(403, 'Address already in use'))).rejects.toMatchObject({ code: 'RUNTIME_FAILED' })
})

it.each([
  ['manifest for r/x@sha256:0 not found: manifest unknown: manifest unknown', 'MANIFEST_UNKNOWN'],
  ['unauthorized: authentication required', 'REGISTRY_UNAUTHORIZED'],
  ['pull access denied for x, repository does not exist or may require docker login: denied', 'REGISTRY_DENIED'],
  ['toomanyrequests: You have reached your pull rate limit', 'RATE_LIMITED'],
  ['Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused', 'REGISTRY_UNREACHABLE'],
  ['write /var/lib/docker/tmp/x: no space left on device', 'DISK_FULL'],
  ['received unexpected HTTP status: 500 Internal Server Error', 'REGISTRY_FAILED'],
])('reads the reason of a failed pull: %s', (sentence, code) => {
  expect(fromPull(sentence, 'r/x')).toMatchObject({ code, effect: 'none' })
})

it('takes "there already" for success and nothing else', async () => {
  await tolerate([304], () => Promise.reject(answer(304, 'container already started')))
  await expect(tolerate([304], () => Promise.reject(answer(404, 'no such container')))).rejects.toThrow('no such')
})
