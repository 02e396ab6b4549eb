import {
  type Context,
  type Descriptor,
  digestOf,
  type ImagePlace,
  type ImageSource,
  KiwiError,
  verified,
} from '@kiwi/core'
import type { Client } from './client.js'
import { reportProgress } from './progress.js'
import { fetchManifest } from './pull.js'
import { readBlob } from './resume-download.js'

/** An image in a registry, read through the client that found it. */
export function registrySource(client: Client, repository: string, root: Descriptor, context: Context): ImageSource {
  const { endpoint } = client
  const name = endpoint.repository(repository)
  return {
    root,
    origin: { registry: endpoint.host, repository: name },
    async manifest({ digest }, signal) {
      const place: ImagePlace = { repository, reference: digest }
      const found = await fetchManifest(client, place, { ...context, signal })
      if (!found) throw new KiwiError('MANIFEST_UNKNOWN', `${endpoint.host}/${repository} has lost ${digest}`)
      if (digestOf(found.bytes) === digest) return found.bytes
      throw new KiwiError('DIGEST_MISMATCH', `what ${endpoint.host} gives for ${digest} is something else`)
    },
    async *blob(descriptor, { offsetBytes, signal }) {
      const { digest, size } = descriptor
      const content = readBlob(client, name, descriptor, offsetBytes, { ...context, signal })
      if (offsetBytes > 0) return yield* content
      yield* reportProgress(verified(content, descriptor), descriptor, 'pull', context)
      context.report({ type: 'blob', direction: 'pull', digest, state: 'done', bytes: size, totalBytes: size })
    },
  }
}
