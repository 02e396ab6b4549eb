import { BlockList, isIP } from 'node:net'
import { KiwiError } from '@kiwi/core'
import { hostOf } from './addresses.js'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The proxy that the environment names for an address, as other tools read it: `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, lower case first.
 * This machine itself is never asked for through a proxy. Throws `INPUT_INVALID` when what it names is no proxy of HTTP.
 */
export function proxyFor(url: URL, environment: Environment = process.env): URL | undefined {
  const name = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY'
  const value = environment[name.toLowerCase()] ?? upperCase(name, environment)
  if (!value || isLoopback(hostOf(url))) return undefined
  const without = environment.no_proxy ?? environment.NO_PROXY ?? ''
  if (without.split(/[,\s]+/).some((entry) => matches(entry.toLowerCase(), url))) return undefined
  const proxy = URL.parse(value.includes('://') ? value : `http://${value}`)
  if (proxy && /^https?:$/.test(proxy.protocol)) return proxy
  // what it says is left out: it may hold a password
  throw new KiwiError('INPUT_INVALID', `the environment variable ${name} does not name a proxy`, {
    hint: 'Write http://host:port or https://host:port; other kinds of proxies are not supported.',
  })
}

/** Under CGI a client sets it: the header `Proxy` arrives as `HTTP_PROXY`. */
function upperCase(name: string, environment: Environment): string | undefined {
  return name === 'HTTP_PROXY' && environment.REQUEST_METHOD !== undefined ? undefined : environment[name]
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || isIn(loopback, host)
}

/** `*`, a domain with all below it, `*.domain` or `.domain` for those below it only, an address or a network; all but networks with a port or without. */
function matches(entry: string, url: URL): boolean {
  const host = hostOf(url)
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+|.*:.*:.*?))(?::(\d+))?$/.exec(entry) ?? []
  const name = bracketed ?? plain
  if (name === undefined) return false
  if (isIP(entry) !== 0) return isSame(entry, host)
  if (port !== undefined && port !== (url.port || (url.protocol === 'https:' ? '443' : '80'))) return false
  if (name === '*') return true
  if (isIP(name) !== 0) return isSame(name, host)
  if (name.includes('/')) return isInNetwork(name, host)
  const domain = name.replace(/^\*?\./, '').replace(/\.$/, '')
  return host.endsWith(`.${domain}`) || (host === domain && !name.startsWith('*') && !name.startsWith('.'))
}

function isSame(address: string, host: string): boolean {
  return isInNetwork(`${address}/${isIP(address) === 4 ? 32 : 128}`, host)
}

function isInNetwork(network: string, host: string): boolean {
  const [address = '', prefix = ''] = network.split('/')
  const version = isIP(address)
  if (version === 0 || !/^\d+$/.test(prefix) || Number(prefix) > (version === 4 ? 32 : 128)) return false
  const list = new BlockList()
  list.addSubnet(address, Number(prefix), version === 4 ? 'ipv4' : 'ipv6')
  return isIn(list, host)
}

function isIn(list: BlockList, host: string): boolean {
  const version = isIP(host)
  return version !== 0 && list.check(host, version === 4 ? 'ipv4' : 'ipv6')
}

/** Names the proxy in a failure that may be its own. The proxy's own refusal says nothing of the registry. */
export function throughProxy(error: KiwiError, { host }: URL, target: URL): KiwiError {
  const { cause, effect, retryable, evidence } = error
  const said = cause instanceof Error ? cause.message : ''
  const [, status] = /^Proxy [^(]*\((\d{3})\)/.exec(said) ?? []
  const message =
    status === undefined
      ? `${error.message} (through the proxy ${host})`
      : `${target.host} cannot be reached: the proxy ${host} answers ${status}`
  const known = typeof evidence === 'object' && evidence !== null ? evidence : {}
  return new KiwiError(error.code, message, {
    effect: status === undefined ? effect : 'none',
    retryable: retryable && !/^40[37]$/.test(status ?? ''),
    hint: `Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY. ${error.hint}`,
    evidence: { ...known, proxy: host },
    cause,
  })
}
