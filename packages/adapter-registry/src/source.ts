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
import { pullScope } from './scopes.js'

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
      const content = readBlob(client, name, digest, offsetBytes, { ...context, signal })
      if (offsetBytes > 0) return yield* content
      yield* reportProgress(verified(content, descriptor), descriptor, 'pull', context)
      context.report({ type: 'blob', direction: 'pull', digest, state: 'done', bytes: size, totalBytes: size })
    },
  }
}

async function* readBlob(client: Client, name: string, digest: string, offsetBytes: number, context: Context) {
  const answer = await client.send(
    {
      method: 'GET',
      to: `/v2/${name}/blobs/${digest}`,
      scopes: [pullScope(name)],
      headers: offsetBytes > 0 ? { range: `bytes=${offsetBytes}-` } : {},
      expect: [200, 206],
      doing: `pull ${digest} from ${client.endpoint.host}/${name}`,
    },
    context,
  )
  yield* answer.status === 206 ? answer.body : skip(answer.body, offsetBytes)
}

/** For a registry that ignores the range and sends everything. */
async function* skip(content: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes
  for await (const chunk of content) {
    if (left < chunk.byteLength) yield chunk.subarray(left)
    left = Math.max(0, left - chunk.byteLength)
  }
}
