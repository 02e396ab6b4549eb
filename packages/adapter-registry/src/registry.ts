import { type Context, type Descriptor, type ImagePlace, KiwiError, type Probe, type Registry } from '@kiwi/core'
import { type Client, clientOf } from './client.js'
import { connect, type Http } from './connect.js'
import { type CredentialOptions, type Credentials, credentialsFor } from './credentials.js'
import { type Endpoint, type EndpointOptions, endpointOf, mirrorOf } from './endpoint.js'
import type { Judge } from './errors.js'
import { requirePlace, requireRepository } from './names.js'
import { describePlace, resolveAt } from './pull.js'
import { pullScope } from './scopes.js'
import { registrySink, seenBlobs } from './sink.js'
import { registrySource } from './source.js'
import { tryUpload } from './upload.js'

export interface OciRegistryOptions extends EndpointOptions {
  /** Asked first for pulls, without credentials; when one does not have it or fails, the next is asked. */
  readonly mirrors?: readonly EndpointOptions[] | undefined
  /** Default: anonymous. */
  readonly credentials?: CredentialOptions | undefined
  /** PEM; for a registry whose certificate no public authority signed. */
  readonly certificateAuthority?: string | undefined
}

/**
 * A registry that speaks the OCI distribution specification. Throws `INPUT_INVALID` when a host is malformed; nothing is asked before first use.
 * @example ociRegistry({ host: 'registry.example.com', credentials: { username: 'ci', password: secret('REGISTRY_PASSWORD') } })
 */
export function ociRegistry(options: OciRegistryOptions): Registry & AsyncDisposable {
  return openRegistry(options).registry
}

/** What a vendor's registry differs in. */
export interface RegistryExtension {
  /** Default `'oci'`. */
  readonly kind?: string | undefined
  /** The vendor's own reading of refusals. */
  readonly judge?: Judge | undefined
}

/** A registry, and what it is made of: for those that lay a vendor's own over it. `http` is closed with the registry. */
export interface OpenedRegistry {
  readonly registry: Registry & AsyncDisposable
  readonly endpoint: Endpoint
  readonly client: Client
  readonly http: Http
  readonly credentials: Credentials
}

/** As `ociRegistry`, with its parts. */
export function openRegistry(options: OciRegistryOptions, extension: RegistryExtension = {}): OpenedRegistry {
  const { mirrors = [], certificateAuthority } = options
  const { kind = 'oci', judge } = extension
  const http = connect({ certificateAuthority })
  const endpoint = endpointOf(options)
  const credentials = credentialsFor(endpoint.host, options.credentials)
  const client = clientOf(endpoint, http, credentials, { judge })
  const anonymous = credentialsFor(endpoint.host, undefined)
  const sources = [...mirrors.map((mirror) => clientOf(mirrorOf(endpoint, mirror), http, anonymous)), client]
  const seen = seenBlobs()
  const registry: Registry & AsyncDisposable = {
    contract: 'registry/v1',
    kind,
    probe: (context) => probe(client, context),
    async check(repository, right, context) {
      const name = endpoint.repository(requireRepository(repository))
      await (right === 'push' ? tryUpload(client, name, context) : tryPull(client, name, context))
    },
    resolve: async (place, context) => (await find(sources, requirePlace(place), context))?.root,
    async source(place, context) {
      const found = await find(sources, requirePlace(place), context)
      if (found) return registrySource(found.client, place.repository, found.root, context)
      throw new KiwiError('MANIFEST_UNKNOWN', `there is no ${describePlace(endpoint.host, place)}`)
    },
    sink: (repository) => registrySink(client, requireRepository(repository), seen),
    address: (repository) => `${endpoint.host}/${endpoint.repository(requireRepository(repository))}`,
    [Symbol.asyncDispose]: http.close,
  }
  return { registry, endpoint, client, http, credentials }
}

async function probe(client: Client, context: Context): Promise<Probe> {
  const { host } = client.endpoint
  try {
    const call = { method: 'GET', to: '/v2/', scopes: [], expect: [200], doing: `reach ${host}` } as const
    const answer = await client.send(call, context)
    await answer.discard()
    const version = answer.header('docker-distribution-api-version') ?? 'unknown'
    const details = { host, version, authentication: client.scheme }
    return { ok: true, summary: `${host} answers`, details }
  } catch (error) {
    context.signal.throwIfAborted()
    const { message, code } = KiwiError.from(error)
    return { ok: false, summary: message, details: { host, code } }
  }
}

/** A repository that nobody pushed to yet may be pulled from. */
async function tryPull(client: Client, name: string, context: Context): Promise<void> {
  const to = `/v2/${name}/tags/list?n=1`
  const doing = `pull from ${client.endpoint.host}/${name}`
  const answer = await client.send({ method: 'GET', to, scopes: [pullScope(name)], expect: [200, 404], doing }, context)
  await answer.discard()
}

/** Asks the mirrors in order and the registry last; only the registry's own failure is one, a mirror's is told. */
async function find(
  sources: readonly Client[],
  place: ImagePlace,
  context: Context,
): Promise<{ readonly client: Client; readonly root: Descriptor } | undefined> {
  for (const [index, client] of sources.entries()) {
    const next = sources[index + 1]
    const root = await resolveAt(client, place, context).catch((error: unknown) => {
      if (!next || context.signal.aborted) throw error
      const because = KiwiError.from(error).message
      context.report({ type: 'choice', what: 'registry', value: next.endpoint.host, because })
      return undefined
    })
    if (root) return { client, root }
  }
  return undefined
}
