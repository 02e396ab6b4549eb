import { KiwiError } from '@kiwi/core'
import type { ConnectOptions } from './connect.js'

/** Where a registry is asked, and how it names a repository. */
export interface Endpoint {
  /** As people and image references write it. */
  readonly host: string
  readonly origin: string
  /** Docker Hub keeps official images under `library/`. */
  repository(name: string): string
}

export interface EndpointOptions extends ConnectOptions {
  /** `registry.example.com`, `127.0.0.1:5000` or `docker.io`. */
  readonly host: string
  /** Speaks HTTP without TLS. */
  readonly plainHttp?: boolean | undefined
}

/** Throws `INPUT_INVALID` when `host` is more or less than a host with an optional port. */
export function endpointOf(options: EndpointOptions): Endpoint {
  const host = isDockerHub(options.host) ? 'docker.io' : options.host
  const scheme = options.plainHttp ? 'http' : 'https'
  const url = URL.parse(`${scheme}://${host === 'docker.io' ? 'registry-1.docker.io' : host}`)
  if (url?.pathname !== '/' || url.search || url.hash || url.username || host === '') {
    throw new KiwiError('INPUT_INVALID', `'${host}' is not a registry host`, {
      hint: 'Write host or host:port, without scheme and path.',
    })
  }
  return { host, origin: url.origin, repository: (name) => officialName(host, name) }
}

/** A mirror names a repository as the registry does that it stands for. */
export function mirrorOf({ repository }: Endpoint, options: EndpointOptions): Endpoint {
  return { ...endpointOf(options), repository }
}

export function isDockerHub(host: string): boolean {
  return host === 'docker.io' || host === 'index.docker.io' || host === 'registry-1.docker.io'
}

function officialName(host: string, name: string): string {
  return host === 'docker.io' && !name.includes('/') ? `library/${name}` : name
}
