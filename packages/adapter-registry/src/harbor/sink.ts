import { type BlobUpload, type Context, type ImageSink, KiwiError } from '@kiwi/core'
import type { Api } from './api.js'
import { type HarborQuota, readQuota } from './projects.js'

/** Smaller ones are quicker sent than asked about. */
const largeBytes = 16 * 1024 * 1024

export interface SinkOptions {
  readonly api: Api
  readonly sink: ImageSink
  readonly project: string
  /** `push to harbor.example.com/team/web`. */
  readonly doing: string
  /** Surrounds each call: looks to the project first and explains refusals. */
  readonly within: <T>(context: Context, work: () => Promise<T>) => Promise<T>
}

/** A sink that refuses a large layer that the quota has no room for before it is sent. */
export function harborSink({ api, sink, project, doing, within }: SinkOptions): ImageSink {
  const { retag } = sink
  let quota: Promise<HarborQuota | undefined> | undefined
  const requireRoom = async ({ expected, mediaType }: BlobUpload, context: Context) => {
    if (!expected || expected.size < largeBytes) return
    quota ??= readQuota(api, project, context).catch(() => undefined) // whoever may push may not always read that
    const { hardBytes, usedBytes = 0 } = (await quota) ?? {}
    context.signal.throwIfAborted()
    if (hardBytes === undefined || usedBytes + expected.size <= hardBytes) return
    if (await sink.has({ ...expected, mediaType }, context)) return
    quota = undefined // it may have been raised when somebody tries again
    const evidence = { host: api.host, project, hardBytes, usedBytes, bytes: expected.size }
    const why = `a layer of ${expected.size} bytes does not fit, ${usedBytes} of the project’s ${hardBytes} are used`
    throw new KiwiError('REGISTRY_QUOTA_EXCEEDED', `cannot ${doing}: ${why}`, { evidence })
  }
  return {
    ...(retag && { retag: (bytes, options, context) => within(context, () => retag(bytes, options, context)) }),
    has: (descriptor, context) => within(context, () => sink.has(descriptor, context)),
    blob: (upload, context) =>
      within(context, async () => {
        await requireRoom(upload, context)
        return sink.blob(upload, context)
      }),
    manifest: (bytes, options, context) => within(context, () => sink.manifest(bytes, options, context)),
  }
}
