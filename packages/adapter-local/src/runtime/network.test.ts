import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { testContext } from '@kiwi/core/testing'
import { describe, expect, it } from 'vitest'
import { layerOf } from '../layers/testing.js'
import { readWhereabouts } from '../supervisor/whereabouts.js'
import {
  ensure,
  isReady,
  look,
  namespacesMissing,
  newDirectory,
  order,
  putBusyboxImage,
  spec,
  startRuntime,
  until,
  web,
} from './testing.js'

const missing = namespacesMissing ?? whyNoNetwork()
if (missing) console.warn(`SKIPPED: tests in network namespaces (${missing})`)

const context = testContext()

/** Listens on port 80 whatever PORT is, and says `text`. */
async function fixedPort(text: string, before = 'true') {
  const directory = newDirectory()
  const runtime = await startRuntime({ isolation: 'namespaces', network: 'own', directory })
  await runtime.claim(web, context)
  const startSlot = async (slot: string, answer: string) => {
    const command = `echo ${answer} > /index.html; ${before} >> /index.html 2>&1; exec /bin/busybox httpd -f -h / -p 80`
    const digest = await putBusyboxImage(runtime, { Cmd: ['/bin/sh', '-c', command] }, layerOf(['etc/']))
    await order(
      runtime,
      ensure(slot, digest, { spec: { ...spec, port: 80, health: { ...spec.health, path: '/index.html' } } }),
    )
    await until(runtime, isReady(slot))
    const { route } = await look(runtime)
    await order(runtime, { type: 'route', from: route.slots, to: [slot] })
    const [address] = (await look(runtime)).route.addresses
    return (await fetch(`${address}/index.html`)).text()
  }
  return { directory, runtime, startSlot, first: await startSlot('a', text) }
}

describe.skipIf(missing)('in a network of its own', () => {
  it('applications with one fixed port run beside each other, and leave no rule behind', async () => {
    const { runtime, startSlot, first } = await fixedPort('one')
    expect(first).toBe('one\n')
    expect(await startSlot('b', 'two')).toBe('two\n')
    expect(rules()).not.toBe('')
    await runtime.stop(web)
    await expect.poll(rules).toBe('')
  })

  it('an instance reaches this machine, which is its way to others', async () => {
    await using server = createServer((request, response) => response.end(`from ${request.socket.remoteAddress}`))
    server.listen(0, '0.0.0.0')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const wget = `/bin/busybox wget -q -O - http://$(/bin/busybox ip route | /bin/busybox awk '/default/ {print $3}'):${port}/`
    const { first } = await fixedPort('reached', wget)
    expect(first).toMatch(/^reached\nfrom 10\.213\.\d+\.\d+$/)
    server.closeAllConnections()
  })

  it('what a killed supervisor left in the tables goes with the next one', async () => {
    const { runtime, directory } = await fixedPort('one')
    const before = rules()
    process.kill(readWhereabouts(join(directory, 'environments/web/production'))?.pid ?? 0, 'SIGKILL')
    await until(runtime, isReady('a', 0))
    expect(rules()).not.toBe(before)
    await expect.poll(rules).toBe('')
  })

  it('is refused where there are no namespaces', async () => {
    const runtime = await startRuntime({ isolation: 'none', network: 'own' })
    await runtime.claim(web, context)
    await expect(order(runtime, ensure('a', 'sha256:0'))).rejects.toMatchObject({
      code: 'RUNTIME_FAILED',
      effect: 'none',
    })
  })
})

function rules(): string {
  const tables = ['nat', 'filter'].map((table) => execFileSync('iptables', ['-w', '-t', table, '-S']).toString())
  return tables
    .join('')
    .split('\n')
    .filter((line) => line.includes('10.213.'))
    .join('\n')
}

function whyNoNetwork(): string | undefined {
  try {
    execFileSync('unshare', ['--net', 'ip', 'link', 'add', 'kiwi-a', 'type', 'veth', 'peer', 'name', 'kiwi-b'])
    execFileSync('iptables', ['-w', '-S', 'FORWARD'])
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
