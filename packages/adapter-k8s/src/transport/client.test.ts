import { describe, expect, test } from 'vitest'
import { api, sendJson } from '../testing/api.js'

const { signal } = new AbortController()

describe('the transport', () => {
  test('sends fifty requests over one connection', async () => {
    await using server = await api((_, response) => sendJson(response, { items: [] }))
    for (let index = 0; index < 50; index++) await server.client.ask({ method: 'GET', path: '/api' }, signal)
    expect(server.requests).toHaveLength(50)
    expect(server.connections()).toBe(1)
  })

  test('keeps fields that nobody knows', async () => {
    await using server = await api((_, response) => sendJson(response, { spec: { brandNew: { deep: 1 } } }))
    const read = await server.client.read({ path: '/x', query: { labelSelector: 'a=b,c' } }, signal)
    expect(read).toEqual({ spec: { brandNew: { deep: 1 } } })
    expect(server.requests).toEqual(['GET /x?labelSelector=a%3Db%2Cc'])
  })

  test('asks for new credentials once when the old ones are refused, also for a write', async () => {
    await using server = await api((request, response) => {
      sendJson(
        response,
        { kind: 'Status', message: 'Unauthorized' },
        request.headers.authorization === 'Bearer 1' ? 200 : 401,
      )
    })
    const answer = await server.client.ask({ method: 'POST', path: '/x', body: { a: 1 } }, signal)
    expect(answer.status).toBe(200)
    expect(server.renewals()).toBe(1)
  })

  test('says that a write had no effect when nobody listened', async () => {
    const server = await api(() => undefined)
    await server[Symbol.asyncDispose]()
    const write = server.client.ask({ method: 'POST', path: '/x', body: {} }, signal)
    await expect(write).rejects.toMatchObject({ code: 'RUNTIME_UNREACHABLE', effect: 'none', retryable: true })
  })

  test('does not repeat a write that the server may have got, and says that its effect is unknown', async () => {
    await using server = await api((request) => request.socket.destroy())
    const write = server.client.ask({ method: 'PATCH', path: '/x', body: [] }, signal)
    await expect(write).rejects.toMatchObject({ code: 'RUNTIME_UNREACHABLE', effect: 'unknown' })
    expect(server.requests).toEqual(['PATCH /x'])
  })

  test('repeats a read whose connection broke', async () => {
    let count = 0
    await using server = await api((request, response) => {
      if (++count < 3) request.socket.destroy()
      else sendJson(response, { it: 'is there' })
    })
    expect(await server.client.read({ path: '/x' }, signal)).toEqual({ it: 'is there' })
  })

  test('tells a proxy’s error page in its first line', async () => {
    await using server = await api((_, response) =>
      response.writeHead(502, { 'Content-Type': 'text/html' }).end('Bad gateway\n<hr>'),
    )
    const read = server.client.read({ path: '/x' }, signal)
    await expect(read).rejects.toMatchObject({
      code: 'RUNTIME_FAILED',
      message: 'GET /x: Bad gateway',
      retryable: true,
    })
  })

  test('breaks off when the signal fires, and says that a write’s effect is unknown', async () => {
    await using server = await api(() => undefined)
    const controller = new AbortController()
    const write = server.client.ask({ method: 'POST', path: '/x', body: {} }, controller.signal)
    setTimeout(() => controller.abort(new Error('enough')), 50)
    await expect(write).rejects.toMatchObject({ code: 'CANCELLED', effect: 'unknown' })
  })

  test('ends a stream that is silent for too long', async () => {
    await using server = await api((_, response) => void response.writeHead(200).write('one\ntw'))
    const lines: string[] = []
    const reading = (async () => {
      for await (const line of server.client.lines({ path: '/x', silentMs: 50 }, signal)) lines.push(line)
    })()
    await expect(reading).rejects.toMatchObject({ code: 'RUNTIME_UNREACHABLE', effect: 'none' })
    expect(lines).toEqual(['one'])
  })
})
