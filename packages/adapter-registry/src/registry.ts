import {
  type Context,
  type Descriptor,
  type Digest,
  type ImagePlace,
  KiwiError,
  type Probe,
  type Registry,
} from '@kiwi/core'
import { type Client, clientOf } from './client.js'
import { connect, type Http } from './connect.js'
import { type CredentialOptions, type Credentials, credentialsFor } from './credentials.js'
import { type Endpoint, type EndpointOptions, endpointOf, mirrorOf } from './endpoint.js'
import type { Judge } from './errors.js'
import type { Referrer } from './fallback.js'
import { isTag, parseDigest, requirePlace, requireRepository } from './names.js'
import { nearestTags } from './nearest.js'
import { protectByTags } from './protect.js'
import { describePlace, resolveAt } from './pull.js'
import { listReferrers, type ReferrersOptions } from './referrers.js'
import { removeAt } from './remove.js'
import type { RetryOptions } from './retry.js'
import { pullScope } from './scopes.js'
import { seenBlobs } from './seen.js'
import { registrySink } from './sink.js'
import { registrySource } from './source.js'
import { listTags } from './tags.js'
import { tryUpload } from './upload.js'

export interface OciRegistryOptions extends EndpointOptions {
  /** Asked first for pulls, without credentials; when one does not have it or fails, the next is asked. */
  readonly mirrors?: readonly EndpointOptions[] | undefined
  /** Default: anonymous. */
  readonly credentials?: CredentialOptions | undefined
  /** How long a registry that fails for now is tried again. */
  readonly retry?: RetryOptions | undefined
  /** Sends layers in requests of at most that size, for a proxy with a limit. Default: in one, and in smaller ones once refused. */
  readonly chunkBytes?: number | undefined
}

/**
 * A registry that speaks the OCI distribution specification. Throws `INPUT_INVALID` when a host is malformed; nothing is asked before first use.
 * @example ociRegistry({ host: 'registry.example.com', credentials: { username: 'ci', password: secret('REGISTRY_PASSWORD') } })
 */
export function ociRegistry(options: OciRegistryOptions): OciRegistry {
  return openRegistry(options).registry
}

/** All that the specification offers. */
export interface OciRegistry extends Required<Registry>, AsyncDisposable {
  /** By tag it removes the tag and nothing else, by digest the manifest with its tags. */
  remove(place: ImagePlace, context: Context): Promise<boolean>
  /** What was pushed about a manifest: signatures, bills of materials. Empty where there is nothing. */
  referrers(
    place: { readonly repository: string; readonly digest: Digest },
    options: ReferrersOptions,
    context: Context,
  ): AsyncIterable<Referrer>
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
  readonly registry: OciRegistry
  readonly endpoint: Endpoint
  readonly client: Client
  readonly http: Http
  readonly credentials: Credentials
}

/** As `ociRegistry`, with its parts. */
export function openRegistry(options: OciRegistryOptions, extension: RegistryExtension = {}): OpenedRegistry {
  const { mirrors = [], retry, chunkBytes } = options
  const { kind = 'oci', judge } = extension
  const endpoint = endpointOf(options)
  const http = connect(endpoint, options)
  const credentials = credentialsFor(endpoint.host, options.credentials)
  const client = clientOf(endpoint, http, credentials, { judge, retry })
  const anonymous = credentialsFor(endpoint.host, undefined)
  const far = mirrors.map((mirror) => {
    const at = mirrorOf(endpoint, mirror)
    const { certificateAuthority = options.certificateAuthority, clientCertificate } = mirror
    return { at, http: connect(at, { certificateAuthority, clientCertificate }) }
  })
  const sources = [
    ...far.map(({ at, http }) => clientOf(at, http, anonymous, { retry: { ...retry, tries: 2 } })),
    client,
  ]
  const seen = seenBlobs()
  const registry: OciRegistry = {
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
      throw await unknown(client, place, context)
    },
    sink: (repository) => registrySink(client, requireRepository(repository), seen, { chunkBytes }),
    address: (repository) => `${endpoint.host}/${endpoint.repository(requireRepository(repository))}`,
    tags: (repository, context) => listTags(client, requireRepository(repository), context),
    remove: (place, context) => removeAt(client, requirePlace(place), context),
    protect: (repository, digests, context) => protectByTags(client, requireRepository(repository), digests, context),
    referrers: ({ repository, digest }, options, context) =>
      listReferrers(client, requireDigest(repository, digest), options, context),
    async [Symbol.asyncDispose]() {
      await Promise.all([http, ...far.map(({ http }) => http)].map((one) => one.close()))
    },
  }
  return { registry, endpoint, client, http, credentials }
}

async function probe(client: Client, context: Context): Promise<Probe> {
  const { host } = client.endpoint
  try {
    const call = { method: 'GET', to: '/v2/', scopes: [], expect: [200], doing: `reach ${host}`, tries: 1 } as const
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

/** By a real read, since tokens lie. A repository that nobody pushed to yet may be pulled from. */
async function tryPull(client: Client, name: string, context: Context): Promise<void> {
  const to = `/v2/${name}/tags/list?n=1`
  const doing = `pull from ${client.endpoint.host}/${name}`
  try {
    const call = { method: 'GET', to, scopes: [pullScope(name)], expect: [200], doing } as const
    const answer = await client.send(call, context)
    await answer.discard()
  } catch (error) {
    if (!KiwiError.is(error) || error.code !== 'MANIFEST_UNKNOWN') throw error
  }
}

async function unknown(client: Client, place: ImagePlace, context: Context): Promise<KiwiError> {
  const { host } = client.endpoint
  const near = isTag(place.reference) ? await nearestTags(client, place, context) : []
  return new KiwiError('MANIFEST_UNKNOWN', `there is no ${describePlace(host, place)}`, {
    evidence: { host, repository: place.repository, reference: place.reference, nearestTags: near },
    ...(near.length > 0 && { hint: `Tags that it has and that are written like it: ${near.join(', ')}.` }),
  })
}

function requireDigest(repository: string, digest: Digest) {
  requirePlace({ repository, reference: digest })
  if (parseDigest(digest)) return { repository, digest }
  throw new KiwiError('IMAGE_REFERENCE_INVALID', `'${digest}' is not a digest`)
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
