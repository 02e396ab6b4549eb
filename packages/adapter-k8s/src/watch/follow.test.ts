import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type Api, api, sendJson } from '../testing/api.js'
import { follow, type Times } from './follow.js'

interface Thing {
  readonly metadata: { readonly uid: string; readonly resourceVersion: string }
}

const times: Times = { firstBackoff: 20, maxBackoff: 100, patience: 300, silence: 500 }
const thing = (uid: string, resourceVersion: string): Thing => ({ metadata: { uid, resourceVersion } })
const event = (type: string, object: unknown) => `${JSON.stringify({ type, object })}\n`
const gone = event('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' })

describe('following a collection', () => {
  test('goes on from the last version after a broken connection, without a new list', async () => {
    await using server = await serve([
      (response) => {
        response.write(event('ADDED', thing('b', '5')))
        response.write(event('BOOKMARK', thing('', '9')))
        response.write('{"type":"DELETED","object":{"metadata":{"uid":"a"') // half a line is no event
        setTimeout(() => response.destroy(), 20)
      },
      (response) => response.write(event('DELETED', thing('a', '10'))),
    ])
    await using seen = start(server)
    await seen.until('b')
    expect(versions(server)).toEqual(['3', '9'])
    expect(lists(server)).toBe(1)
    expect(seen.states).toEqual(['a', 'a b', 'b'])
  })

  test('opens an ended watch again at once', async () => {
    await using server = await serve([
      (response) => response.end(event('ADDED', thing('b', '5'))),
      (response) => response.end(event('ADDED', thing('c', '6'))),
      (response) => response.write(event('ADDED', thing('d', '7'))),
    ])
    await using seen = start(server)
    await seen.until('a b c d')
    expect(versions(server)).toEqual(['3', '5', '6'])
  })

  test('lists anew when its version is gone, and asks less often while that goes on', async () => {
    await using server = await serve([(response) => response.end(gone)], { forever: true })
    await using seen = start(server)
    await sleep(500)
    expect(lists(server)).toBeGreaterThan(3)
    expect(lists(server)).toBeLessThan(20)
    expect(seen.states[0]).toBe('a')
  })

  test('lists anew when the watch itself is refused with 410', async () => {
    await using server = await serve([
      (response) => sendJson(response, { kind: 'Status', code: 410 }, 410),
      (response) => response.write(event('MODIFIED', thing('z', '8'))),
    ])
    await using seen = start(server)
    await seen.until('a z')
    expect(lists(server)).toBe(2)
  })

  test('opens a watch again that was silent for too long', async () => {
    await using server = await serve([
      (response) => response.flushHeaders(),
      (response) => response.write(event('ADDED', thing('b', '5'))),
    ])
    await using seen = start(server, { ...times, silence: 50 })
    await seen.until('a b')
    expect(lists(server)).toBe(1)
  })

  test('waits while the server is failing, and gives up when that lasts', async () => {
    await using server = await serve([(response) => sendJson(response, 'overloaded', 503)], { forever: true })
    await using seen = start(server)
    await expect(seen.ended).rejects.toMatchObject({ code: 'RUNTIME_FAILED', retryable: true })
    expect(server.requests.length).toBeGreaterThan(3)
    expect(server.requests.length).toBeLessThan(20)
  })

  test('rejects at once on what waiting cannot cure', async () => {
    await using server = await serve([(response) => sendJson(response, { message: 'pods is forbidden' }, 403)])
    await using seen = start(server)
    await expect(seen.ended).rejects.toMatchObject({ code: 'RUNTIME_FAILED', retryable: false })
  })

  test('reads a list of several pages', async () => {
    await using server = await api((request, response) => {
      if (request.url?.includes('watch=1')) return void response.flushHeaders()
      const second = request.url?.includes('continue=more')
      const metadata = second ? { resourceVersion: '4' } : { resourceVersion: '4', continue: 'more' }
      sendJson(response, { metadata, items: [thing(second ? 'b' : 'a', '1')] })
    })
    await using seen = start(server)
    await seen.until('a b')
  })
})

/** Lists one thing at version 3, and answers each watch with the next of `watches`. */
function serve(watches: readonly ((response: ServerResponse) => unknown)[], { forever = false } = {}): Promise<Api> {
  let next = 0
  return api((request, response) => {
    if (!request.url?.includes('watch=1')) {
      return sendJson(response, { metadata: { resourceVersion: '3' }, items: [thing('a', '1')] })
    }
    response.setHeader('Content-Type', 'application/json')
    watches[forever ? 0 : next++]?.(response)
  })
}

function start({ client }: Api, within: Times = times) {
  const controller = new AbortController()
  const states: string[] = []
  const ended = follow<Thing>(
    client,
    { path: '/things', query: {} },
    {
      signal: controller.signal,
      times: within,
      onChange: (objects) =>
        void states.push(
          objects
            .map(({ metadata }) => metadata.uid)
            .sort()
            .join(' '),
        ),
    },
  )
  ended.catch(() => undefined)
  return {
    states,
    ended,
    async until(state: string) {
      for (const end = Date.now() + 3000; states.at(-1) !== state; await sleep(5)) {
        if (Date.now() > end) throw new Error(`never ${state}: ${JSON.stringify(states)}`)
      }
    },
    async [Symbol.asyncDispose]() {
      controller.abort()
      await ended.catch(() => undefined)
    },
  }
}

function lists({ requests }: Api): number {
  return requests.filter((request) => !request.includes('watch=1')).length
}

function versions({ requests }: Api): (string | null)[] {
  return requests
    .filter((request) => request.includes('watch=1'))
    .map((request) => new URL(request.slice('GET '.length), 'http://api').searchParams.get('resourceVersion'))
}
