import type { BuiltImage } from '../contracts/v1/builder.js'
import type { Json } from '../contracts/v1/json.js'
import type { Revision } from '../contracts/v1/source.js'
import type { DocumentWrite, StepRecord, Store } from '../contracts/v1/store.js'
import { type ErrorRecord, KiwiError } from '../errors/kiwi-error.js'
import type { Build, ImageRecord } from '../model/release.js'
import type { RunRequest } from '../model/run.js'

/** All images that were made for a service, or are being made, newest first. */
export async function builds(store: Store, service: string): Promise<Build[]> {
  const documents = await store.documents.list('build', `${service}/`)
  return documents.map(({ value }) => toBuild(value)).toReversed()
}

/** Rejects with `BUILD_UNKNOWN`. */
export async function buildOf(store: Store, service: string, number: number): Promise<Build> {
  const value = await store.documents.get('build', keyOf(service, number))
  if (value === undefined) throw new KiwiError('BUILD_UNKNOWN', `${service} has no build ${number}`)
  return toBuild(value)
}

export function buildDocument(build: Build): DocumentWrite {
  return { kind: 'build', key: keyOf(build.service, build.number), value: build as unknown as Json }
}

interface Begun {
  readonly id: string
  readonly request: RunRequest
  readonly startedAt: number
}

/** The row of a build that has begun; what is not known yet is left open. */
export function startedBuild(
  { id, request, startedAt }: Begun,
  { buildNumber, tag }: { readonly buildNumber: number; readonly tag?: string | undefined },
  revision: Pick<Revision, 'ref' | 'commit'> | undefined,
): Build {
  return {
    service: request.service,
    number: buildNumber,
    runId: id,
    status: 'running',
    ref: revision?.ref ?? ('ref' in request ? request.ref : ''),
    commit: revision?.commit,
    tag,
    reference: undefined,
    image: undefined,
    digest: undefined,
    sizeBytes: undefined,
    by: request.by,
    startedAt,
    durationMs: undefined,
    error: undefined,
  }
}

/** The image is made; it may still have to be pushed. */
export function madeBuild(build: Build, { manifest, sizeBytes }: BuiltImage, at: number): Build {
  return { ...build, status: 'succeeded', digest: manifest.digest, sizeBytes, durationMs: at - build.startedAt }
}

/** It lies in the registry. */
export function pushedBuild(
  build: Build,
  { image, reference, at }: { readonly image: ImageRecord; readonly reference: string; readonly at: number },
): Build {
  const { digest, sizeBytes } = image
  const whole = { ...build, status: 'succeeded', image, reference, digest, sizeBytes } as const
  const durationMs = build.status === 'running' ? at - build.startedAt : build.durationMs // pushed later: it was made long ago
  return { ...whole, durationMs, error: undefined, pruned: undefined }
}

/** The row of a build that a failed run leaves unfinished; nothing for a run that never had a number, or whose build was whole. */
export async function unfinishedBuild(
  run: Begun & { readonly store: Store; readonly journal: ReadonlyMap<string, Pick<StepRecord, 'intent' | 'result'>> },
  { status, error, at }: { readonly status: 'failed' | 'cancelled'; readonly error: ErrorRecord; readonly at: number },
): Promise<DocumentWrite | undefined> {
  const intent = run.journal.get('analyse')?.intent as unknown as { readonly buildNumber: number } | undefined // written by pipeline/analyse.ts
  if (!intent) return undefined
  const { service } = run.request
  const value = await run.store.documents.get('build', keyOf(service, intent.buildNumber))
  const revision = run.journal.get('source')?.result as unknown as Revision | undefined // written by pipeline/source.ts
  const build = value === undefined ? startedBuild(run, intent, revision) : toBuild(value)
  return build.status === 'running'
    ? buildDocument({ ...build, status, error, durationMs: at - build.startedAt })
    : undefined
}

/** Numbers are padded so that keys sort as numbers do. */
function keyOf(service: string, number: number): string {
  return `${service}/${String(number).padStart(9, '0')}`
}

/** Written by `buildDocument`, and only there. */
function toBuild(value: Json): Build {
  return value as unknown as Build
}
