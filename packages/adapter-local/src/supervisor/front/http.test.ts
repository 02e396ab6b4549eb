import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { httpFront } from './http.js'
import { takeTurns, type Upstream } from './pick.js'

const servers: { close(): unknown; closeAllConnections?: () => void }[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections?.()
    server.close()
  }
})

type Fake = Upstream & { open: number; readonly server: Server }

async function upstream(listener: RequestListener): Promise<Fake> {
  const server = createServer(listener)
  return { ...fake(await listen(server)), server }
}

function fake(port: number): Omit<Fake, 'server'> {
  return {
    address: { host: '127.0.0.1', port },
    agent: new Agent({ keepAlive: true }),
    open: 0,
    enter() {
      this.open += 1
    },
    leave() {
      this.open -= 1
    },
  }
}

async function front(...ready: readonly Upstream[]): Promise<number> {
  return listen(httpFront(takeTurns(() => ready)))
}

async function listen(server: Server): Promise<number> {
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

type Answer = IncomingMessage & { body: string; reused: boolean }

/** A port on which nothing listens. */
async function deadPort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function ask(port: number, options: object = {}, body?: string): Promise<Answer> {
  const sent = request({ host: '127.0.0.1', port, agent: false, ...options })
  sent.end(body)
  const [response] = await once(sent, 'response')
  return Object.assign(response, { body: await text(response), reused: sent.reusedSocket })
}

const named =
  (name: string): RequestListener =>
  (_, response) =>
    response.end(name)

describe('the HTTP front', () => {
  it('chooses anew for every request, also on one kept connection', async () => {
    const [one, other] = [await upstream(named('one')), await upstream(named('other'))]
    let ready: readonly Upstream[] = [one]
    const port = await listen(httpFront(takeTurns(() => ready)))
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    expect((await ask(port, { agent })).body).toBe('one')
    ready = [other]
    const second = await ask(port, { agent })
    expect(second.body).toBe('other')
    expect(second.reused).toBe(true)
    agent.destroy()
  })

  it('takes turns among those that are ready', async () => {
    const port = await front(await upstream(named('one')), await upstream(named('other')))
    const answers = [await ask(port), await ask(port), await ask(port), await ask(port)].map(({ body }) => body)
    expect(answers.sort()).toEqual(['one', 'one', 'other', 'other'])
  })

  it('answers 503 while nobody is ready', async () => {
    const response = await ask(await front())
    expect([response.statusCode, response.body]).toEqual([503, 'No instance is ready.\n'])
  })

  it('passes method, path, headers and body on, keeps Host, and names the client', async () => {
    const port = await front(
      await upstream(async (incoming, response) => {
        response.writeHead(201, 'Made', [
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
          ['X-Seen', JSON.stringify(incoming.rawHeaders)],
        ])
        response.end(`${incoming.method} ${incoming.url} ${await text(incoming)}`)
      }),
    )
    const headers = { Host: 'shop.example', 'X-Two': ['1', '2'], connection: 'x-drop, close', 'x-drop': '1' }
    const response = await ask(port, { method: 'POST', path: '/a?b=c', headers }, 'body')
    expect([response.statusCode, response.statusMessage]).toEqual([201, 'Made'])
    expect(response.body).toBe('POST /a?b=c body')
    expect(response.headers['set-cookie']).toEqual(['a=1', 'b=2'])
    const seen = String(response.headers['x-seen'])
    expect(seen).toContain('"Host","shop.example","X-Two","1","X-Two","2"')
    expect(seen).toContain('"X-Forwarded-For","127.0.0.1"')
    expect(seen).not.toContain('x-drop')
  })

  it('streams an answer as it comes', async () => {
    const port = await front(
      await upstream(async (_, response) => {
        response.write('first ')
        await sleep(100)
        response.end('second')
      }),
    )
    const sent = request({ host: '127.0.0.1', port, agent: false }).end()
    const [response] = await once(sent, 'response')
    const [chunk] = await once(response, 'data')
    expect(String(chunk)).toBe('first ')
    expect(await text(response)).toBe('second')
  })

  it('tries another one when the first does not accept, with the body untouched', async () => {
    const alive = await upstream(async (incoming, response) => response.end(await text(incoming)))
    const port = await front(fake(await deadPort()), alive)
    for (const body of ['1', '2', '3', '4']) expect((await ask(port, { method: 'POST' }, body)).body).toBe(body)
  })

  it('sends a GET again when the kept connection was closed under it, and never a POST twice', async () => {
    const seen: string[] = []
    const closing = await upstream((incoming, response) => {
      seen.push(incoming.method ?? '')
      if (seen.length % 2 === 0) incoming.socket.destroy()
      else response.end('fine')
    })
    const port = await front(closing)
    expect((await ask(port)).body).toBe('fine')
    expect((await ask(port)).body).toBe('fine') // its second arrival is cut off, its third is answered
    expect(seen).toEqual(['GET', 'GET', 'GET'])
    expect((await ask(port, { method: 'POST' }, 'x')).statusCode).toBe(502)
    expect(seen).toEqual(['GET', 'GET', 'GET', 'POST'])
  })

  it('counts what is open, and ends it when the client goes away', async () => {
    let gone = false
    const slow = await upstream((incoming) => {
      incoming.on('close', () => {
        gone = true
      })
    })
    const port = await front(slow)
    const sent = request({ host: '127.0.0.1', port, agent: false }).end()
    sent.on('error', () => {})
    await expect.poll(() => slow.open).toBe(1)
    sent.destroy()
    await expect.poll(() => [slow.open, gone]).toEqual([0, true])
  })

  it('breaks an answer off when the instance does, instead of ending it as if it were whole', async () => {
    const port = await front(
      await upstream((_, response) => {
        response.writeHead(200, { 'content-length': 100 })
        response.write('half')
        setTimeout(() => response.destroy(), 50)
      }),
    )
    await expect(ask(port)).rejects.toThrow(/aborted/)
  })

  it('joins the connections when the application takes an upgrade', async () => {
    const echo = await upstream(named('no upgrade'))
    echo.server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello ')
      socket.pipe(socket)
    })
    const socket = connect({ host: '127.0.0.1', port: await front(echo) })
    socket.write('GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly ')
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk
    })
    await expect.poll(() => received).toMatch(/101 Switching[\s\S]*\r\n\r\nhello early $/)
    expect(echo.open).toBe(1)
    socket.end('late')
    await expect.poll(() => received).toMatch(/hello early late$/)
    await expect.poll(() => echo.open).toBe(0)
  })

  it('passes on the answer of an application that takes no upgrade', async () => {
    const port = await front(await upstream(named('plain')))
    const socket = connect({ host: '127.0.0.1', port })
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n')
    expect(await text(socket)).toMatch(/^HTTP\/1.1 200 OK[\s\S]*plain$/)
  })
})
