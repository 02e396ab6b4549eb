import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { checkHealth, loopback } from './health.js'
import { freePort, listenerOn } from './ports.js'

const http = { type: 'http', path: '/up', intervalMs: 1000, timeoutMs: 200 } as const
const tcp = { type: 'tcp', intervalMs: 1000, timeoutMs: 200 } as const

async function serve(host: string, status: number | undefined) {
  const server = createServer((_, response) => {
    if (status !== undefined) response.writeHead(status).end()
  })
  server.listen(0, host)
  await once(server, 'listening')
  return Object.assign(server, { port: (server.address() as AddressInfo).port })
}

describe('a health check', () => {
  it.each([
    [200, { healthy: true, host: '127.0.0.1' }],
    [302, { healthy: true, host: '127.0.0.1' }],
    [404, { healthy: false, refused: false, problem: 'GET /up answered 404' }],
    [undefined, { healthy: false, refused: false, problem: 'GET /up did not answer within 200 ms' }],
  ])('by HTTP takes any status below 400: %s', async (status, expected) => {
    await using server = await serve('127.0.0.1', status)
    expect(await checkHealth(http, server.port, loopback)).toEqual(expected)
    server.closeAllConnections()
  })

  it('finds an application on the other loopback address', async () => {
    await using server = await serve('::1', 200)
    expect(await checkHealth(http, server.port, loopback)).toEqual({ healthy: true, host: '::1' })
    expect(await checkHealth(tcp, server.port, loopback)).toEqual({ healthy: true, host: '::1' })
  })

  it('says that nobody listens', async () => {
    const port = await freePort()
    expect(await checkHealth(http, port, loopback)).toMatchObject({ healthy: false, problem: 'GET /up was refused' })
    expect(await checkHealth(tcp, port, loopback)).toMatchObject({
      problem: `a connection to port ${port} was refused`,
    })
  })
})

describe.runIf(process.platform === 'linux')('a listening port', () => {
  it('is traced to its process', async () => {
    await using server = await serve('127.0.0.1', 200)
    expect(await listenerOn(server.port)).toMatchObject({ pid: process.pid })
    expect(await listenerOn(await freePort())).toBeUndefined()
  })
})
