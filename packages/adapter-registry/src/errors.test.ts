import { KiwiError } from '@kiwi/core'
import { assert as always, array, dictionary, jsonValue, oneof, property, string, stringMatching } from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { HttpAnswer } from './connect.js'
import { answerError, type Judge } from './errors.js'
import { isRepository, isTag, parseDigest } from './names.js'
import { nearest } from './nearest.js'
import { neverSent, unreachable } from './unreachable.js'
import { secondsToWait } from './wait.js'
import { parseBody } from './words.js'

function answered(status: number, body: string, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  return {
    status,
    url: new URL('http://registry.test/v2/'),
    header: (name) => headers[name],
    headers: (name) => [headers[name] ?? []].flat(),
    body: new Response(body).body ?? new ReadableStream(),
    text: async (limitBytes) => body.slice(0, limitBytes),
    discard: async () => undefined,
  }
}
const attempt = { doing: 'push to registry.test/web', host: 'registry.test', signedIn: true }
const said = (code: string, message: string) => JSON.stringify({ errors: [{ code, message }] })
const judged = (
  status: number,
  body: string,
  headers = {},
  more: { readonly judge?: Judge; signedIn?: boolean } = {},
) => answerError(answered(status, body, headers), { ...attempt, ...more })

describe('an answer', () => {
  test.each<[string, number, string, string]>([
    ['REGISTRY_PROJECT_MISSING', 404, 'NOT_FOUND', 'project team not found'],
    ['REGISTRY_PROJECT_MISSING', 401, 'UNAUTHORIZED', 'project team not found: project team not found'],
    ['REGISTRY_PROJECT_MISSING', 404, 'NAME_UNKNOWN', 'The namespace team does not exist'],
    ['MANIFEST_UNKNOWN', 404, 'NOT_FOUND', 'artifact team/web:v1 not found'],
    ['MANIFEST_UNKNOWN', 404, 'MANIFEST_UNKNOWN', 'manifest unknown'],
    [
      'REGISTRY_QUOTA_EXCEEDED',
      403,
      'DENIED',
      'adding 10.0 MiB of storage resource, which when updated to current usage of 5 MiB will exceed the configured upper limit of 10 MiB: quota exceeded',
    ],
    ['REGISTRY_QUOTA_EXCEEDED', 413, 'DENIED', 'insufficient storage'],
    ['TAG_IMMUTABLE', 412, 'PRECONDITION', "Failed to process request due to 'web:v1' configured as immutable."],
    [
      'TAG_IMMUTABLE',
      400,
      'TAG_INVALID',
      'The image tag v1 cannot be overwritten because the repository is immutable.',
    ],
    ['REGISTRY_DENIED', 412, 'PROJECTPOLICYVIOLATION', 'current image with 3 vulnerabilities cannot be pulled'],
    ['REGISTRY_DENIED', 405, 'UNSUPPORTED', 'the operation is unsupported'],
    ['REGISTRY_DENIED', 403, 'DENIED', 'requested access to the resource is denied'],
    ['RATE_LIMITED', 403, 'DENIED', 'API rate limit exceeded'],
    ['IMAGE_REFERENCE_INVALID', 400, 'NAME_INVALID', 'invalid repository name'],
  ])('means %s when it is %d %s: %s', async (code, status, word, message) => {
    const error = await judged(status, said(word, message))
    expect(error).toMatchObject({
      code,
      effect: 'none',
      evidence: { status, code: word, message, host: 'registry.test' },
    })
    expect(error.message).toMatch(/^cannot push to registry\.test\/web: /)
  })

  test('of a server that was spoken to without TLS is told as that', async () => {
    for (const body of [
      'Client sent an HTTP request to an HTTPS server.\n',
      '<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>',
    ])
      expect(await judged(400, body)).toMatchObject({
        code: 'REGISTRY_UNREACHABLE',
        retryable: false,
        hint: 'Leave plainHttp out for this registry.',
      })
  })

  test('that denies an anonymous user says that there are no credentials', async () => {
    const error = await judged(403, said('DENIED', 'no'), {}, { signedIn: false })
    expect(error).toMatchObject({ code: 'REGISTRY_DENIED', hint: expect.stringContaining('credentials') })
  })

  test('is read by the vendor’s judge first', async () => {
    const judge: Judge = ({ status, words, attempt: { host } }) =>
      status === 401 && words.code === 'ODD' ? { code: 'REGISTRY_PROJECT_MISSING', why: `${host} is odd` } : undefined
    expect(await judged(401, said('ODD', 'x'), {}, { judge })).toMatchObject({
      code: 'REGISTRY_PROJECT_MISSING',
      message: 'cannot push to registry.test/web: registry.test is odd: x',
    })
    expect(await judged(401, said('OTHER', 'x'), {}, { judge })).toMatchObject({ code: 'REGISTRY_UNAUTHORIZED' })
  })

  test('that says back a credential is told without it', async () => {
    const token = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJraXdpIn0.c2lnbmF0dXJl'
    const bodies = [
      `bad header: Authorization: Bearer ${token}`,
      said('UNAUTHORIZED', 'Basic a2l3aTpzM2NyZXQ= is not it'),
      said('DENIED', `no: ${token}`),
      said('DENIED', 'see https://store.test/x?X-Amz-Signature=abcdef0123456789&a=b and https://kiwi:s3cret@host/'),
    ]
    for (const body of bodies) {
      const text = JSON.stringify((await judged(403, body)).toRecord())
      for (const secret of ['eyJzdWIi', 'a2l3aTpz', 'abcdef0123', 's3cret']) expect(text).not.toContain(secret)
    }
  })
})

describe('the time to wait', () => {
  const at = (headers: Readonly<Record<string, string>>) => secondsToWait({ header: (name) => headers[name] })
  const date = 'Tue, 24 Nov 2026 03:00:00 GMT'

  test.each<[string, Readonly<Record<string, string>>, number | undefined]>([
    ['in seconds', { 'retry-after': '30' }, 30],
    ['until a date, by the clock of the registry', { 'retry-after': 'Tue, 24 Nov 2026 03:01:30 GMT', date }, 90],
    ['until a date that is past', { 'retry-after': 'Tue, 24 Nov 2026 02:00:00 GMT', date }, 0],
    ['until Docker Hub’s Unix time', { 'x-retry-after': String(Date.parse(date) / 1000 + 45), date }, 45],
    ['in Docker Hub’s header, as seconds', { 'x-retry-after': '12' }, 12],
    ['for ages, which is a week', { 'retry-after': '999999999999' }, 604_800],
    ['unknown', {}, undefined],
    ['malformed', { 'retry-after': '-5' }, undefined],
    ['malformed', { 'retry-after': '' }, undefined],
  ])('is %s', (_, headers, seconds) => expect(at(headers)).toBe(seconds))

  test('is in the message and in the evidence', async () => {
    expect(await judged(429, said('TOOMANYREQUESTS', 'slow down'), { 'retry-after': '30' })).toMatchObject({
      code: 'RATE_LIMITED',
      retryable: true,
      message: expect.stringContaining('registry.test limits this user; it asks to wait 30 s: slow down'),
      evidence: { retryAfterSeconds: 30 },
    })
  })
})

describe('a failure below HTTP', () => {
  const failed = (code: string, url = 'https://registry.test') =>
    unreachable(new URL(url), Object.assign(new Error('low'), { code }), 'unknown')

  test.each<[string, string, boolean, 'none' | 'unknown']>([
    ['ENOTFOUND', 'the name is not known', true, 'none'],
    ['ECONNREFUSED', 'nothing listens there', true, 'none'],
    ['ECONNRESET', 'it cut the connection', true, 'unknown'],
    ['CERT_HAS_EXPIRED', 'its certificate has expired', false, 'none'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another host', false, 'none'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'its certificate is not trusted', false, 'none'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'it does not speak TLS on that port', false, 'none'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'it refuses the TLS connection', false, 'none'],
    ['SOMETHING', 'low', true, 'unknown'],
  ])('%s: %s', (code, why, retryable, effect) => {
    expect(failed(code)).toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: `registry.test cannot be reached: ${why}`,
      retryable,
      effect,
      evidence: { host: 'registry.test', code },
    })
  })

  test('is known to be before anything was sent, or not', () => {
    expect(neverSent(failed('ECONNREFUSED'))).toBe(true)
    expect(neverSent(failed('ECONNRESET'))).toBe(false)
    expect(neverSent(new KiwiError('REGISTRY_FAILED', 'x'))).toBe(false)
  })

  test('of a connection without TLS that is cut hints at TLS', () => {
    expect(failed('ECONNRESET', 'http://registry.test').hint).toContain('plainHttp')
  })
})

test('the nearest tags are those with the fewest changes, three at most', () => {
  expect(nearest('v1.2', ['v1.3', 'v1.2.1', 'latest', 'v9.9', 'v1.1', 'v1.4'])).toEqual(['v1.1', 'v1.3', 'v1.4'])
  expect(nearest('main', [])).toEqual([])
  expect(nearest('x', ['a-tag-of-quite-another-kind'])).toEqual([])
})

describe('whatever a registry says', () => {
  const body = oneof(
    string({ unit: 'binary', maxLength: 3000 }),
    jsonValue().map((value) => JSON.stringify(value)),
    array(jsonValue(), { maxLength: 3 }).map((errors) => JSON.stringify({ errors })),
    dictionary(oneof(string(), stringMatching(/^(?:errors|message|detail|details|error)$/)), jsonValue()).map((value) =>
      JSON.stringify(value),
    ),
    string({ maxLength: 300 }).map((text) => `<html><title>${text}`),
  )

  test('is one line of bounded length', () => {
    always(
      property(body, (text) => {
        const { code, message } = parseBody(text)
        expect(code.length).toBeLessThanOrEqual(100)
        expect(message.length).toBeLessThanOrEqual(500)
        expect(message).not.toMatch(/[\r\n\p{Cc}]/u)
      }),
      { numRuns: 500 },
    )
  })

  test.each([' ', '<', '<title>', '://a', 'eyJaaaaaaa', 'bearer ', 'token=', 'project ', '-', '{"errors":['])(
    'is read in linear time: 64 KiB of %j',
    async (piece) => {
      const text = piece.repeat(65_536 / piece.length)
      const startedAt = performance.now()
      await judged(404, text)
      await judged(404, said(text, text))
      expect(performance.now() - startedAt).toBeLessThan(3000)
    },
  )
})

describe('names', () => {
  const part = stringMatching(/^[a-z0-9]{1,8}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}$/)

  test('made by the rules are taken', () => {
    const name = array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
    always(property(name, (text) => isRepository(text) === text.length < 256))
    always(property(stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/), isTag))
  })

  test('that are taken lead nowhere else in an address or a file name', () => {
    const text = oneof(string({ unit: 'binary' }), stringMatching(/^[a-zA-Z0-9._:/%-]{0,20}$/))
    always(
      property(text, (name) => {
        if (isRepository(name)) expect(new URL(`/v2/${name}/x`, 'http://a').pathname).toBe(`/v2/${name}/x`)
        if (isTag(name))
          expect(new URL(`/v2/web/manifests/${name}`, 'http://a').pathname).toBe(`/v2/web/manifests/${name}`)
      }),
      { numRuns: 1000 },
    )
  })

  test('that are digests are taken apart and nothing else is', () => {
    const digest = oneof(stringMatching(/^sha256:[a-f0-9]{64}$/), stringMatching(/^sha512:[a-f0-9]{128}$/))
    always(
      property(digest, (text) => {
        const parts = parseDigest(text)
        expect(`${parts?.algorithm}:${parts?.hex}`).toBe(text)
        for (const other of [text.toUpperCase(), `${text}0`, `${text}\n`, text.slice(0, -1), ` ${text}`])
          expect(parseDigest(other)).toBeUndefined()
      }),
    )
  })

  test.each(['a', 'a/', 'a-', 'a__'])('are checked in linear time: %j again and again', (piece) => {
    const startedAt = performance.now()
    isRepository(`${piece.repeat(255 / piece.length)}!`)
    isRepository(piece.repeat(100_000))
    expect(performance.now() - startedAt).toBeLessThan(3000)
  })
})
