import dns from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import tls from 'node:tls'
import { vi } from 'vitest'

export interface FakeNetwork extends Disposable {
  /** `ADDRESS:PORT` of every connection that was begun. Nothing else leaves this process. */
  readonly dialled: readonly string[]
  /** Every name whose address was asked for. */
  readonly asked: readonly string[]
}

interface Dialling {
  readonly host?: string
  readonly port?: number | string
  readonly lookup?: net.LookupFunction
}

/**
 * Stands in for the name service and for connections, where Node begins them: TLS is left out, so the servers behind speak plain HTTP.
 * `names` says what a name means, each time it is asked. `servers` has the local port behind an address; nothing listens at others.
 */
export function fakeNetwork(
  names: (name: string) => readonly string[],
  servers: Readonly<Record<string, number>>,
): FakeNetwork {
  const dialled: string[] = []
  const asked: string[] = []
  const resolve = (
    name: string,
    _options: unknown,
    done: (error: Error | null, found: dns.LookupAddress[]) => void,
  ) => {
    asked.push(name)
    const found = names(name).map((address) => ({ address, family: net.isIP(address) }))
    const missing = Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' })
    setImmediate(() => done(found.length > 0 ? null : missing, found))
  }
  const connecting = (ready: 'connect' | 'secureConnect') => (target: Dialling) => {
    const socket = new net.Socket()
    const go = (address: string) => {
      dialled.push(net.isIPv6(address) ? `[${address}]:${target.port}` : `${address}:${target.port}`)
      const port = servers[address]
      if (port === undefined) socket.destroy(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))
      else socket.connect(port, '127.0.0.1')
    }
    const { host = '', lookup = dns.lookup as net.LookupFunction } = target // as Node does
    if (ready !== 'connect') socket.once('connect', () => socket.emit(ready))
    if (net.isIP(host) !== 0) setImmediate(go, host)
    else
      lookup(host, { all: true }, (error, found) => {
        const [first] = typeof found === 'string' ? [] : (found ?? [])
        if (error || !first) socket.destroy(error ?? new Error('no address'))
        else go(first.address)
      })
    return socket
  }
  // the library's own functions have more overloads than a stand-in needs
  const spies = [
    vi.spyOn(dns, 'lookup').mockImplementation(resolve as never),
    vi.spyOn(net, 'connect').mockImplementation(connecting('connect') as never),
    vi.spyOn(tls, 'connect').mockImplementation(connecting('secureConnect') as never),
  ]
  syncBuiltinESMExports()
  return {
    dialled,
    asked,
    [Symbol.dispose]() {
      for (const spy of spies) spy.mockRestore()
      syncBuiltinESMExports()
    },
  }
}
