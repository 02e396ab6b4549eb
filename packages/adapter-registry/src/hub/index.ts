import type { Context, ImageSink, Probe } from '@kiwi/core'
import { protectByTags } from '../protect.js'
import { type OciRegistry, type OciRegistryOptions, openRegistry } from '../registry.js'
import { apiOf } from './api.js'
import { type Explain, explainWith } from './explain.js'
import { hubJudge } from './judge.js'
import { type PullLimits, readLimits, sayLimits } from './limits.js'
import { ownPlaceOf, placeOf } from './names.js'
import { removeFromHub, removeTag } from './remove.js'

export type { PullLimits } from './limits.js'

/** Of `credentials` the password is an access token, personal or of an organization (whose name is then the user name). */
export type DockerHubOptions = Omit<OciRegistryOptions, 'host' | 'plainHttp'>

/** Docker Hub: a registry whose repositories are `NAMESPACE/NAME`, official images plain names, and its own API. */
export interface DockerHub extends OciRegistry {
  /** How many pulls are left, asked without spending one. */
  limits(context: Context): Promise<PullLimits>
}

/**
 * Docker Hub. Nothing is asked before first use.
 * @example dockerHub({ credentials: { username: 'acme', password: secret('DOCKER_HUB_TOKEN') } })
 */
export function dockerHub(options: DockerHubOptions = {}): DockerHub {
  const opened = openRegistry({ ...options, host: 'docker.io' }, { kind: 'docker-hub', judge: hubJudge })
  const { registry, client } = opened
  const api = apiOf(opened, { retry: options.retry })
  const hub = { api, client }
  const explain = explainWith(api)
  return {
    ...registry,
    limits: (context) => readLimits(client, context),
    probe: (context) => probe(registry, () => readLimits(client, context), context),
    async check(repository, right, context) {
      if (right === 'push') ownPlaceOf(repository)
      else placeOf(repository)
      await explain(repository, right, context, () => registry.check(repository, right, context))
    },
    async resolve(place, context) {
      placeOf(place.repository)
      return explain(place.repository, 'pull', context, () => registry.resolve(place, context))
    },
    async source(place, context) {
      placeOf(place.repository)
      return explain(place.repository, 'pull', context, () => registry.source(place, context))
    },
    sink(repository) {
      ownPlaceOf(repository)
      return explainedSink(registry.sink(repository), repository, explain)
    },
    async *tags(repository, context) {
      placeOf(repository)
      const tags = registry.tags(repository, context)[Symbol.asyncIterator]()
      for (;;) {
        const next = await explain(repository, 'pull', context, () => tags.next())
        if (next.done) return
        yield next.value
      }
    },
    async remove(place, context) {
      ownPlaceOf(place.repository)
      return explain(place.repository, 'delete', context, () => removeFromHub(hub, place, context))
    },
    async protect(repository, digests, context) {
      ownPlaceOf(repository)
      const remove = (tagged: { readonly repository: string; readonly reference: string }) =>
        removeTag(api, tagged, context)
      return explain(repository, 'push', context, () => protectByTags(client, repository, digests, context, remove))
    },
  }
}

function explainedSink(sink: ImageSink, repository: string, explain: Explain): ImageSink {
  const { retag } = sink
  const pushing = <T>(context: Context, work: () => Promise<T>) => explain(repository, 'push', context, work)
  return {
    ...(retag && { retag: (bytes, options, context) => pushing(context, () => retag(bytes, options, context)) }),
    has: (descriptor, context) => pushing(context, () => sink.has(descriptor, context)),
    blob: (upload, context) => pushing(context, () => sink.blob(upload, context)),
    manifest: (bytes, options, context) => pushing(context, () => sink.manifest(bytes, options, context)),
  }
}

/** The figures are of use where there is a limit, and no reason to fail. */
async function probe(registry: OciRegistry, limits: () => Promise<PullLimits>, context: Context): Promise<Probe> {
  const answered = await registry.probe(context)
  if (!answered.ok) return answered
  const pulls = await limits().then(sayLimits, () => 'unknown')
  context.signal.throwIfAborted()
  return { ...answered, details: { ...answered.details, pulls } }
}
