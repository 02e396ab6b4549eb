import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Digest } from '@kiwi/core'
import { inDirectory, keepFile, orMissing, syncDirectory, writeAtomically } from './files.js'

/** Which content belongs to which repository, and under which tags. One small file each, so that processes can share the folder. */
export interface Repositories {
  /** Who asks counts on it from now on: a garbage collection leaves it alone for its grace period. */
  hasBlob(repository: string, digest: Digest): Promise<boolean>
  linkBlob(repository: string, digest: Digest): Promise<void>
  /** `false` when it was not there. */
  unlinkBlob(repository: string, digest: Digest): Promise<boolean>
  /** The media type under which the manifest was stored; `undefined` when the repository has no such manifest. */
  manifestType(repository: string, digest: Digest): Promise<string | undefined>
  addManifest(
    repository: string,
    manifest: { readonly digest: Digest; readonly mediaType: string; readonly tags: readonly string[] },
  ): Promise<void>
  /** Removes the manifest and every tag that names it; `false` when it was not there. */
  removeManifest(repository: string, digest: Digest): Promise<boolean>
  /** Remembers that the manifest names `subject`, which need not be there. */
  addReferrer(repository: string, subject: Digest, manifest: Digest): Promise<void>
  referrers(repository: string, subject: Digest): Promise<readonly Digest[]>
  tag(repository: string, tag: string): Promise<Digest | undefined>
  removeTag(repository: string, tag: string): Promise<boolean>
  /** In order; `undefined` when nothing was ever pushed there. */
  tags(repository: string): Promise<readonly string[] | undefined>
}

export function openRepositories(directory: string): Repositories {
  const place = (repository: string, ...parts: string[]) => join(directory, 'repositories', repository, ...parts)
  const blob = (repository: string, digest: Digest) => place(repository, '_blobs', ...digest.split(':'))
  const manifest = (repository: string, digest: Digest) => place(repository, '_manifests', ...digest.split(':'))
  const tagFile = (repository: string, tag: string) => place(repository, '_tags', tag)
  const readTag = (repository: string, tag: string) => orMissing(readFile(tagFile(repository, tag), 'utf8'))
  const listTags = async (repository: string) => (await orMissing(readdir(place(repository, '_tags')))) ?? []
  return {
    hasBlob: async (repository, digest) => (await keepFile(blob(repository, digest))) !== undefined,
    linkBlob: (repository, digest) =>
      inDirectory(blob(repository, digest), () => writeFile(blob(repository, digest), '')),
    unlinkBlob: (repository, digest) => remove(blob(repository, digest)),
    manifestType: (repository, digest) => orMissing(readFile(manifest(repository, digest), 'utf8')),
    async addManifest(repository, { digest, mediaType, tags }) {
      await writeAtomically(manifest(repository, digest), mediaType)
      for (const tag of tags) await writeAtomically(tagFile(repository, tag), digest)
      await syncDirectory(tags.length === 0 ? dirname(manifest(repository, digest)) : place(repository, '_tags'))
    },
    async removeManifest(repository, digest) {
      for (const tag of await listTags(repository)) {
        if ((await readTag(repository, tag)) === digest) await remove(tagFile(repository, tag))
      }
      return remove(manifest(repository, digest))
    },
    async addReferrer(repository, subject, digest) {
      const link = place(repository, '_referrers', subject, digest)
      await inDirectory(link, () => writeFile(link, ''))
    },
    referrers: async (repository, subject) => {
      const digests = (await orMissing(readdir(place(repository, '_referrers', subject)))) ?? []
      return digests.sort()
    },
    tag: readTag,
    removeTag: (repository, tag) => remove(tagFile(repository, tag)),
    async tags(repository) {
      if (!(await exists(place(repository, '_manifests')))) return undefined
      return (await listTags(repository)).filter((name) => !name.startsWith('.')).sort()
    },
  }
}

async function exists(path: string): Promise<boolean> {
  return (await orMissing(stat(path))) !== undefined
}

async function remove(path: string): Promise<boolean> {
  return (await orMissing(rm(path).then(() => true))) ?? false
}
