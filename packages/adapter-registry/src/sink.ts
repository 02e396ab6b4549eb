import { type BlobFact, type Context, digestOf, type ImageSink, isIndex, isManifest, KiwiError } from '@kiwi/core'
import type { Client } from './client.js'
import { pushScope } from './scopes.js'
import { uploadBlob } from './upload.js'

/** What this process saw in each repository: asked for once, not for every release. */
export type Seen = (repository: string) => Set<string>

export function seenBlobs(): Seen {
  const repositories = new Map<string, Set<string>>()
  return (repository) => {
    const digests = repositories.get(repository) ?? new Set()
    repositories.set(repository, digests)
    return digests
  }
}

export function registrySink(client: Client, repository: string, seen: Seen): ImageSink {
  const { endpoint } = client
  const name = endpoint.repository(repository)
  const scopes = [pushScope(name)]
  const doing = `push to ${endpoint.host}/${name}`
  return {
    async has({ digest, mediaType }, context) {
      const kind = isManifest(mediaType) || isIndex(mediaType) ? 'manifests' : 'blobs'
      if (kind === 'blobs' && seen(name).has(digest)) return true
      const headers = { accept: mediaType }
      const to = `/v2/${name}/${kind}/${digest}`
      const answer = await client.send({ method: 'HEAD', to, scopes, doing, headers, expect: [200, 404] }, context)
      await answer.discard()
      if (answer.status === 200 && kind === 'blobs') seen(name).add(digest)
      return answer.status === 200
    },
    async blob(upload, context) {
      const { expected, mediaType } = upload
      if (expected && seen(name).has(expected.digest)) return report('exists', { mediaType, ...expected }, context)
      const { digest, size, mounted } = await uploadBlob(client, name, upload, context)
      seen(name).add(digest)
      return report(mounted ? 'mounted' : 'done', { mediaType, digest, size }, context)
    },
    async manifest(bytes, { mediaType, tag }, context) {
      const digest = digestOf(bytes)
      const to = `/v2/${name}/manifests/${tag ?? digest}`
      const headers = { 'content-type': mediaType }
      const call = {
        method: 'PUT',
        to,
        scopes,
        doing,
        headers,
        body: bytes,
        expect: [200, 201, 202],
        effect: 'unknown',
      } as const
      const answer = await client.send(call, context).catch((error: unknown) => {
        seen(name).clear() // what was seen may have been cleared away since
        throw error
      })
      await answer.discard()
      requireSame(digest, answer.header('docker-content-digest'), doing)
      return { mediaType, digest, size: bytes.byteLength }
    },
  }
}

function report<T extends { readonly digest: string; readonly size: number }>(
  state: BlobFact['state'],
  stored: T,
  context: Context,
): T {
  const { digest, size } = stored
  context.report({ type: 'blob', direction: 'push', digest, state, bytes: size, totalBytes: size })
  return stored
}

/** A registry that rewrites manifests stores something else than what was built. */
function requireSame(digest: string, stored: string | undefined, doing: string): void {
  if (stored === undefined || stored === digest) return
  throw new KiwiError('DIGEST_MISMATCH', `cannot ${doing}: it stored ${stored} in place of ${digest}`, {
    effect: 'done',
    retryable: false,
  })
}
