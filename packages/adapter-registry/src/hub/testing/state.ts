import type { embeddedRegistry } from '../../embedded/index.js'
import type { FakeAccount } from './fake-hub.js'

export type EmbeddedImages = ReturnType<typeof embeddedRegistry>

export interface FakeRepository {
  readonly isPrivate: boolean
  /** What others than its owner may do. */
  readonly members: Readonly<Record<string, 'read' | 'write' | 'admin'>>
}

/** Docker Hub as it stands; tests change it. */
export interface HubState {
  readonly accounts: ReadonlyMap<string, FakeAccount>
  /** By `NAMESPACE/NAME`. */
  readonly repositories: Map<string, FakeRepository>
  /** Of the registry and of the API: who they were given to, and what a registry's allows. */
  readonly tokens: Map<string, { readonly user: string; readonly actions: ReadonlyMap<string, readonly string[]> }>
  /** Manifests that were pulled with GET. */
  pulls: number
  /** `undefined`: no limit. */
  limit: number | undefined
  /** How its registry answers to whoever lacks a right. */
  denies: 'insufficient scope' | 'denied'
  /** `'never'`: as it was before 2025. `'later'`: with 500. */
  deletesManifests: 'unreferred' | 'never' | 'later'
  /** Digests of what an index has as a part. */
  readonly referredTo: Set<string>
  /** Tags that nobody may remove. */
  readonly keptTags: Set<string>
  /** Whether listings of tags say the digest, which is not described. */
  listsDigests: boolean
}

const levels = { 'public-read': 0, read: 1, write: 2, admin: 3 } as const

/** What somebody may do in a repository, with the access token that they have. */
export function actionsOf({ accounts, repositories }: HubState, user: string, full: string): readonly string[] {
  const repository = repositories.get(full)
  const account = accounts.get(user)
  const [namespace = ''] = full.split('/')
  const role = namespace === user ? 'admin' : (repository?.members[user] ?? 'none')
  const level = levels[account?.token ?? 'public-read']
  const isPublic = repository !== undefined && !repository.isPrivate
  return [
    ...(isPublic || (role !== 'none' && level >= levels.read) ? ['pull'] : []),
    ...(['write', 'admin'].includes(role) && level >= levels.write ? ['push'] : []),
    ...(role === 'admin' && level >= levels.admin ? ['delete'] : []),
  ]
}

/** The tags of a repository, with what they name. */
export async function tagsIn(
  images: EmbeddedImages,
  repository: string,
  context: Parameters<EmbeddedImages['tags']>[1],
) {
  const tags = new Map<string, string>()
  for await (const reference of images.tags(repository, context)) {
    const found = await images.resolve({ repository, reference }, context)
    if (found) tags.set(reference, found.digest)
  }
  return tags
}
