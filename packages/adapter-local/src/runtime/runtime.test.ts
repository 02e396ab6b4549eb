import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { secret } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { describe, expect, it } from 'vitest'
import { freePort } from '../supervisor/ports.js'
import {
  answering,
  ensure,
  isReady,
  look,
  newDirectory,
  order,
  published,
  putNodeImage,
  spec,
  startRuntime,
  until,
  web,
} from './testing.js'

const context = testContext()
const plain = { isolation: 'none' } as const
const crashing = `console.log('about to fail'); console.error('no configuration'); process.exit(3)`

/** A runtime with one claimed environment and images of programs in its slots. */
async function claimedRuntime() {
  const directory = newDirectory()
  const runtime = await startRuntime({ ...plain, directory })
  await runtime.claim(web, context)
  const put = (program: string) => putNodeImage(runtime, program)
  const startSlot = async (slot: string, program: string, more = {}) => {
    await order(runtime, ensure(slot, await put(program), more))
    return until(runtime, isReady(slot))
  }
  const route = async (...to: string[]) => {
    const { route } = await look(runtime)
    await order(runtime, { type: 'route', from: route.slots, to })
    return (await look(runtime)).route.addresses[0] ?? ''
  }
  return { runtime, directory, put, startSlot, route }
}

describe('the life of a slot', () => {
  it('is nothing before anyone claims, and starts no process for that', async () => {
    const runtime = await startRuntime(plain)
    const nothing = { revision: '0', fence: 0, slots: [] }
    expect(await look(runtime)).toMatchObject(nothing)
    expect(await runtime.list()).toEqual([])
  })

  it('goes from started to ready to routed', async () => {
    const { runtime, startSlot, route } = await claimedRuntime()
    const ready = await startSlot('a', answering('hello'))
    expect(ready.slots).toMatchObject([{ id: 'a', release: 'release-a', replicas: 1 }])
    expect(ready.slots[0]?.instances).toMatchObject([{ id: 'a-1', phase: 'running', ready: true, restarts: 0 }])
    const [address = ''] = ready.route.addresses
    expect(ready.route).toEqual({ slots: [], settled: true, draining: 0, addresses: [address] })
    expect((await fetch(address)).status).toBe(503)
    expect(await route('a')).toBe(address)
    expect(await (await fetch(address)).text()).toBe('hello')
    expect((await look(runtime)).route).toMatchObject({ slots: ['a'], settled: true, addresses: [address] })
  })

  it('is scaled up, down to nothing, and up again', async () => {
    const { runtime, put } = await claimedRuntime()
    const digest = await put(answering('a'))
    for (const replicas of [1, 3]) {
      await order(runtime, ensure('a', digest, { replicas }))
      await until(runtime, isReady('a', replicas))
    }
    await order(runtime, ensure('a', digest, { replicas: 0 }))
    const warm = await until(runtime, ({ slots }) => slots[0]?.instances.length === 0)
    expect(warm.slots).toMatchObject([{ id: 'a', replicas: 0 }])
    await order(runtime, ensure('a', digest))
    await until(runtime, isReady('a'))
  })

  it('shrinks without a failed request: what is open on an instance has its grace', async () => {
    const { runtime, put, route } = await claimedRuntime()
    const digest = await put(answering('a'))
    await order(runtime, ensure('a', digest, { replicas: 3 }))
    await until(runtime, isReady('a', 3))
    const address = await route('a')
    const slow = Array.from({ length: 6 }, async () => (await fetch(`${address}/slow`)).status)
    await sleep(100)
    await order(runtime, ensure('a', digest))
    const shrinking = await look(runtime)
    expect(shrinking.slots[0]).toMatchObject({ replicas: 1 })
    expect(shrinking.slots[0]?.instances.filter(({ phase }) => phase === 'stopping')).toHaveLength(2)
    expect(await Promise.all(slow)).toEqual(slow.map(() => 200))
    await until(runtime, ({ slots }) => slots[0]?.instances.length === 1)
    expect((await fetch(address)).status).toBe(200)
  })

  it('grows and shrinks without its image and its secrets; only a new one needs them', async () => {
    const { runtime, directory, put } = await claimedRuntime()
    const env = { PASSWORD: secret('DATABASE') }
    const action = ensure('a', await put(answering('a')), { spec: { ...spec, env } })
    await order(runtime, action, { context: testContext({ secrets: { DATABASE: 'hunter2' } }) })
    await until(runtime, isReady('a'))
    rmSync(join(directory, 'images'), { recursive: true })
    await order(runtime, { ...action, replicas: 2 })
    await until(runtime, isReady('a', 2))
    await order(runtime, { ...action, replicas: 0 })
    await until(runtime, ({ slots }) => slots[0]?.instances.length === 0)
    await expect(order(runtime, { ...action, slot: 'b' })).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
  })

  it('ends with its files when it is removed, and never while it is routed', async () => {
    const { runtime, directory, startSlot, route } = await claimedRuntime()
    await startSlot('a', answering('a'))
    await route('a')
    const remove = { type: 'remove-slot', slot: 'a' } as const
    await expect(order(runtime, remove)).rejects.toMatchObject({ code: 'RUNTIME_FAILED', effect: 'none' })
    await route()
    await order(runtime, remove)
    await until(runtime, ({ slots }) => slots.length === 0)
    expect(filesIn(directory).filter((file) => /\/(?:made|slots)\//.test(file))).toEqual([])
  })

  it('is not started twice when the order is repeated', async () => {
    const { runtime, directory, put, startSlot } = await claimedRuntime()
    const program = answering('a')
    const { revision } = await startSlot('a', program)
    await order(runtime, ensure('a', await put(program)))
    const after = await look(runtime)
    expect(after.revision).toBe(revision)
    expect(after.slots[0]?.instances).toMatchObject([{ id: 'a-1', restarts: 0 }])
    expect(readdirSync(join(directory, 'environments/web/production/made'))).toHaveLength(1)
  })
})

describe('the revision', () => {
  it('moves with orders and not with health', async () => {
    const { runtime, put } = await claimedRuntime()
    const digest = await put(answering('a'))
    const before = await look(runtime)
    await runtime.act(web, { ...ensure('a', digest), revision: before.revision }, context)
    const ordered = await look(runtime)
    expect(Number(ordered.revision)).toBeGreaterThan(Number(before.revision))
    expect((await until(runtime, isReady('a'))).revision).toBe(ordered.revision)
  })

  it('refuses an order that was decided on an older state', async () => {
    const { runtime, put } = await claimedRuntime()
    const stale = { ...ensure('a', await put(answering('a'))), revision: '0' }
    await expect(runtime.act(web, stale, context)).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
    expect((await look(runtime)).slots).toEqual([])
  })
})

describe('the fence', () => {
  it('refuses claims and orders of an older token, also after a restart', async () => {
    const { runtime, put } = await claimedRuntime()
    await runtime.claim(web, testContext({ token: 7 }))
    expect(await look(runtime)).toMatchObject({ fence: 7 })
    const fenced = { code: 'FENCED', effect: 'none' }
    await expect(runtime.claim(web, testContext({ token: 6 }))).rejects.toMatchObject(fenced)
    const action = ensure('a', await put(answering('a')))
    await expect(order(runtime, action, { context: testContext({ token: 6 }) })).rejects.toMatchObject(fenced)
    await runtime.stop(web)
    expect(await look(runtime)).toMatchObject({ fence: 7 })
    await expect(runtime.claim(web, testContext({ token: 6 }))).rejects.toMatchObject(fenced)
  })
})

describe('an application that fails', () => {
  it('is started again, ever later, and its last output is kept', async () => {
    const { runtime, put } = await claimedRuntime()
    await order(runtime, ensure('a', await put(crashing)))
    const seen = await until(runtime, ({ slots }) => (slots[0]?.instances[0]?.restarts ?? 0) >= 3)
    expect(seen.slots[0]?.instances[0]).toMatchObject({ ready: false, exitCode: 3, reason: 'exited' })
    const { instances } = await runtime.evidence(web, 'a', context)
    expect(instances[0]).toMatchObject({ id: 'a-1', exitCode: 3 })
    expect(instances[0]?.lastOutput).toEqual(expect.arrayContaining(['about to fail', 'no configuration']))
  })

  it('says so when its command is not there', async () => {
    const { runtime, put } = await claimedRuntime()
    await order(runtime, ensure('a', await put(''), { spec: { ...spec, command: ['no-such-program'] } }))
    const seen = await until(runtime, ({ slots }) => (slots[0]?.instances[0]?.restarts ?? 0) >= 1)
    const message = expect.stringMatching(/failed to execute no-such-program/)
    expect(seen.slots[0]?.instances[0]).toMatchObject({ ready: false, reason: 'start-failed', message })
    expect(JSON.stringify(await runtime.evidence(web, 'a', context))).toContain('no-such-program')
  })

  it('says when it listens on a port of its own choice', async () => {
    const { runtime, put } = await claimedRuntime()
    const port = await freePort()
    const digest = await put(answering('a').replace('process.env.PORT', String(port)))
    await order(runtime, ensure('a', digest, { spec: { ...spec, port } }))
    const said = new RegExp(`was refused; node.* listens on port ${port}: .* PORT`)
    await until(runtime, ({ slots }) => said.test(slots[0]?.instances[0]?.message ?? ''))
  })

  it('gets no traffic while its health check fails, and gets it back', async () => {
    const { runtime, startSlot, route } = await claimedRuntime()
    const program = `
      import { createServer } from 'node:http'
      let sick = false
      createServer((request, response) => {
        if (request.url === '/toggle') sick = !sick
        if (request.url === '/toggle') setTimeout(() => { sick = false }, 1500)
        response.writeHead(sick && request.url === '/' ? 500 : 200).end()
      }).listen(process.env.PORT)`
    await startSlot('a', program)
    const address = await route('a')
    expect((await fetch(`${address}/toggle`)).status).toBe(200)
    const sick = await until(runtime, isReady('a', 0))
    expect(sick.slots[0]?.instances[0]).toMatchObject({ phase: 'running', message: 'GET / answered 500' })
    expect((await fetch(address)).status).toBe(503)
    await until(runtime, isReady('a'))
    expect((await fetch(address)).status).toBe(200)
  })
})

describe('secrets', () => {
  it('reach the application and no disk', async () => {
    const { runtime, directory, put } = await claimedRuntime()
    const program = answering('x').replace(`"x"`, 'process.env.PASSWORD')
    const env = { PASSWORD: secret('DATABASE') }
    const withSecret = testContext({ secrets: { DATABASE: 'hunter2-very-secret' } })
    await order(runtime, ensure('a', await put(program), { spec: { ...spec, env } }), { context: withSecret })
    await until(runtime, isReady('a'))
    await order(runtime, { type: 'route', from: [], to: ['a'] })
    const [address = ''] = (await look(runtime)).route.addresses
    expect(await (await fetch(address)).text()).toBe('hunter2-very-secret')
    const guilty = filesIn(directory).filter((file) => readFileSync(file, 'latin1').includes('hunter2'))
    expect(guilty).toEqual([])
  })

  it('that are missing keep the order from being given', async () => {
    const { runtime, put } = await claimedRuntime()
    const action = ensure('a', await put(answering('x')), { spec: { ...spec, env: { PASSWORD: secret('NOPE') } } })
    await expect(order(runtime, action)).rejects.toMatchObject({ code: 'SECRET_MISSING' })
    expect((await look(runtime)).slots).toEqual([])
  })
})

describe('the route', () => {
  it('moves under load without a failed request; what is open on the old slot ends there', async () => {
    const { runtime, startSlot, route } = await claimedRuntime()
    await startSlot('old', answering('old'))
    const address = await route('old')
    await startSlot('new', answering('new'), { replicas: 1 })
    const load = startLoad(address)
    await sleep(200)
    const slow = fetch(`${address}/slow`)
    await sleep(50)
    await route('new')
    expect((await look(runtime)).route.draining).toBeGreaterThanOrEqual(1)
    expect(await (await fetch(address)).text()).toBe('new')
    expect(await (await slow).text()).toBe('old')
    await until(runtime, (snapshot) => snapshot.route.draining === 0)
    await order(runtime, { type: 'remove-slot', slot: 'old' })
    await sleep(300)
    const counts = await load.stop()
    expect(counts.failed).toEqual([])
    expect(counts.old).toBeGreaterThan(20)
    expect(counts.new).toBeGreaterThan(20)
  }, 20_000)

  it('goes to several slots at once, to every ready instance of them in turn', async () => {
    const { runtime, put, startSlot, route } = await claimedRuntime()
    await order(runtime, ensure('a', await put(answering('a')), { replicas: 2 }))
    await startSlot('b', answering('b'))
    await until(runtime, isReady('a', 2))
    const address = await route('a', 'b')
    const answers: string[] = []
    for (let count = 0; count < 30; count += 1) answers.push(await (await fetch(address)).text())
    expect(answers.filter((answer) => answer === 'a')).toHaveLength(20)
    await route('b')
    for (let count = 0; count < 5; count += 1) expect(await (await fetch(address)).text()).toBe('b')
  })

  it('can be closed: HTTP is answered with 503, and its port stays', async () => {
    const { startSlot, route } = await claimedRuntime()
    await startSlot('a', answering('a'))
    const address = await route('a')
    await route()
    expect((await fetch(address)).status).toBe(503)
    expect(await route('a')).toBe(address)
    expect((await fetch(address)).status).toBe(200)
  })

  it('keeps its port over releases, removal and restarts', async () => {
    const { runtime, startSlot, route } = await claimedRuntime()
    await startSlot('a', answering('a'))
    const address = await route('a')
    await runtime.stop(web)
    await expect(fetch(address)).rejects.toThrow()
    await runtime.claim(web, context)
    await startSlot('b', answering('b'))
    expect(await route('b')).toBe(address)
  })

  it('names who has the port when it is taken, before anything is changed', async () => {
    const runtime = await startRuntime(plain)
    await using server = createServer().listen(0, '127.0.0.1')
    await sleep(50)
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const claim = runtime.claim(published('http', port), context)
    await expect(claim).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      effect: 'none',
      evidence: { port, pid: process.pid },
    })
    expect(await look(runtime)).toMatchObject({ revision: '0', fence: 0 })
  })

  it('carries connections of any protocol', async () => {
    const runtime = await startRuntime(plain)
    const target = published('tcp')
    const program = `
      import { createServer } from 'node:net'
      createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(process.env.PORT)`
    await runtime.claim(target, context)
    const health = { type: 'tcp', intervalMs: 200, timeoutMs: 500 } as const
    const action = ensure('echo', await putNodeImage(runtime, program), { spec: { ...spec, health } })
    await order(runtime, action, { target })
    await until(runtime, isReady('echo'), { target })
    await order(runtime, { type: 'route', from: [], to: ['echo'] }, { target })
    const { port } = new URL((await look(runtime, target)).route.addresses[0] ?? '')
    const socket = connect(Number(port), '127.0.0.1')
    socket.end('hello')
    expect(await text(socket)).toBe('hello')
    await order(runtime, { type: 'route', from: ['echo'], to: [] }, { target })
    await expect(text(connect(Number(port), '127.0.0.1'))).rejects.toMatchObject({ code: 'ECONNRESET' })
  })
})

function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile())
}

/** Four clients that keep their connections and ask as fast as they are answered. */
function startLoad(address: string) {
  const counts = { old: 0, new: 0, failed: [] as string[] }
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  let running = true
  const once = () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    const fail = (error: Error) => resolve(error.message)
    get(address, { agent }, (response) => {
      text(response).then((body) => resolve(response.statusCode === 200 ? body : String(response.statusCode)), fail)
    }).on('error', fail)
    return promise
  }
  const client = async () => {
    while (running) {
      const answer = await once()
      if (answer === 'old' || answer === 'new') counts[answer] += 1
      else counts.failed.push(answer)
    }
  }
  const clients = [client(), client(), client(), client()]
  return {
    async stop() {
      running = false
      await Promise.all(clients)
      agent.destroy()
      return counts
    },
  }
}
