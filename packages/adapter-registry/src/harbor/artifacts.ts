import type { Context, Digest, ImagePlace } from '@kiwi/core'
import { isTag } from '../names.js'
import { numberOf, shapesOf, textOf } from '../shape.js'
import type { Api } from './api.js'
import { artifactPath, placeOf, projectPath, repositoryPath } from './place.js'

export interface HarborRepository {
  /** With the project, as Kiwi names repositories. */
  readonly name: string
  readonly artifacts: number
  readonly pulls: number
}

export interface HarborArtifact {
  readonly digest: Digest
  readonly mediaType: string
  readonly sizeBytes: number
  /** ISO 8601. */
  readonly pushedAt: string | undefined
  readonly tags: readonly HarborTag[]
}

export interface HarborTag {
  readonly name: string
  /** A rule of the project keeps it where it is. */
  readonly isImmutable: boolean
}

export async function* listRepositories(api: Api, project: string, context: Context): AsyncGenerator<HarborRepository> {
  const doing = `list the repositories of ${project}`
  for await (const one of api.list({ path: `${projectPath(project)}/repositories`, doing }, context)) {
    const name = textOf(one, 'name')
    if (name === undefined) continue
    yield { name, artifacts: numberOf(one, 'artifact_count') ?? 0, pulls: numberOf(one, 'pull_count') ?? 0 }
  }
}

export async function* listArtifacts(api: Api, repository: string, context: Context): AsyncGenerator<HarborArtifact> {
  const path = `${repositoryPath(placeOf(repository))}/artifacts`
  const query = { with_tag: 'true', with_immutable_status: 'true' }
  for await (const one of api.list({ path, query, doing: `list the artifacts of ${repository}` }, context)) {
    const digest = textOf(one, 'digest')
    if (digest === undefined) continue
    yield {
      digest,
      mediaType: textOf(one, 'manifest_media_type') ?? '',
      sizeBytes: numberOf(one, 'size') ?? 0,
      pushedAt: textOf(one, 'push_time'),
      tags: shapesOf(one.tags).map((tag) => ({ name: textOf(tag, 'name') ?? '', isImmutable: tag.immutable === true })),
    }
  }
}

/**
 * Removes one tag and nothing else, or an artifact with its tags; Harbor’s `/v2/` removes only by digest. Answers whether it was there.
 * Rejects with `TAG_IMMUTABLE` where a rule of the project keeps it.
 */
export async function removeArtifact(
  api: Api,
  { repository, reference }: ImagePlace,
  context: Context,
): Promise<boolean> {
  const artifact = artifactPath(placeOf(repository), reference)
  const path = isTag(reference) ? `${artifact}/tags/${encodeURIComponent(reference)}` : artifact
  const doing = `delete ${repository}${isTag(reference) ? ':' : '@'}${reference}`
  const { status } = await api.send({ method: 'DELETE', path, expect: [200, 404], doing }, context)
  return status === 200
}
