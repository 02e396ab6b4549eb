import { type Context, digestOf, mediaTypes } from '@kiwi/core'
import type { Client } from './client.js'
import { pushScope } from './scopes.js'

/** Stores the bytes of a manifest, under a tag where one is given; for manifests of Kiwi's own and tags of what is there. */
export async function putManifest(
  client: Client,
  repository: string,
  manifest: { readonly bytes: Uint8Array; readonly mediaType?: string | undefined; readonly tag?: string | undefined },
  context: Context,
): Promise<void> {
  const { bytes, mediaType = mediaTypes.manifest, tag = digestOf(bytes) } = manifest
  const { endpoint } = client
  const name = endpoint.repository(repository)
  const call = {
    method: 'PUT',
    to: `/v2/${name}/manifests/${tag}`,
    scopes: [pushScope(name)],
    headers: { 'content-type': mediaType },
    body: bytes,
    expect: [200, 201, 202],
    doing: `push to ${endpoint.host}/${name}`,
    effect: 'unknown',
  } as const
  const answer = await client.send(call, context)
  await answer.discard()
}
