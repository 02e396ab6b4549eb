import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { KiwiError } from '@kiwi/core'
import { hostOf, isInsideAddress, isInsideHost, isMetadataHost } from './addresses.js'
import type { Endpoint } from './endpoint.js'

/**
 * Where a registry may send its client: a token server, a store that holds its blobs, the address of an upload.
 * It comes from the far side, which must not reach through us into the network that we stand in.
 * A registry that is inside itself may point inside; nobody but a metadata service may point to one.
 */
export interface Guard {
  /** Throws `REGISTRY_FAILED` for an address that is refused as it is written. */
  requireAllowed(url: URL): void
  /** For connections to the registry itself: remembers whether it is inside. */
  readonly own: LookupFunction
  /** For connections to other hosts: refuses what a name turns out to mean. What it gives is what is dialled. */
  readonly other: LookupFunction
}

export function guardOf(endpoint: Pick<Endpoint, 'host' | 'origin'>): Guard {
  const ownUrl = new URL(endpoint.origin)
  const ownHost = hostOf(ownUrl)
  let isInside = isInsideHost(ownHost)
  let wasOutside = false
  const refuses = (host: string) => host !== ownHost && (isMetadataHost(host) || (!isInside && isInsideHost(host)))
  return {
    requireAllowed(url) {
      if (url.origin === ownUrl.origin) return
      if (url.protocol !== 'https:' && (url.protocol !== 'http:' || ownUrl.protocol !== 'http:'))
        throw refused(endpoint, url.host, 'without TLS')
      if (refuses(hostOf(url))) throw refused(endpoint, url.host, 'inside the network that Kiwi runs in')
    },
    own: looking((_host, addresses) => {
      wasOutside ||= !addresses.every(({ address }) => isInsideAddress(address)) // and stays so, whatever its name means next
      isInside = !wasOutside
      return undefined
    }),
    other: looking((host, addresses) => {
      const bad = addresses.some(({ address }) => (isInside ? isMetadataHost(address) : isInsideAddress(address)))
      return bad ? refused(endpoint, host, 'inside the network that Kiwi runs in') : undefined
    }),
  }
}

/** Node connects to one of the addresses that are given here: between the look and the connection nothing is asked again. */
function looking(judge: (host: string, addresses: readonly LookupAddress[]) => KiwiError | undefined): LookupFunction {
  return (host: string, options: LookupOptions, done) => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      const failure = error ?? judge(host, addresses)
      const [first] = failure ? [] : addresses
      if (options.all) done(failure ?? null, failure ? [] : addresses)
      else done(failure ?? null, first?.address ?? '', first?.family)
    })
  }
}

function refused({ host }: Pick<Endpoint, 'host'>, target: string, how: string): KiwiError {
  return new KiwiError('REGISTRY_FAILED', `${host} sends to ${target}, ${how}: refused`, {
    retryable: false,
    hint: 'Nothing was sent there. If the registry is yours, let it name addresses that its clients reach from outside.',
    evidence: { host, target },
  })
}
