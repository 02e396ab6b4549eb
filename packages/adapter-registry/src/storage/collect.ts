import type { Dirent } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Digest, KiwiError } from '@kiwi/core'
import { parseDigest } from '../names.js'
import { orMissing, settleAside, sweep } from './files.js'

export interface CollectOptions {
  /**
   * Leaves alone what was written, asked for or read less than that ago, by any process: a push that runs may need it. Default a day. Shorter than a
   * push takes, it may remove what that push counts on, which then has to send it again.
   */
  readonly olderThanMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Collected {
  /** Freed on the disk. */
  readonly bytes: number
  /** Files of content that were removed. */
  readonly blobs: number
  /** Blobs that their repositories no longer have; another may. */
  readonly links: number
}

const dayMs = 24 * 60 * 60 * 1000

/**
 * Removes what no manifest of any repository needs; a manifest stays until somebody removes it, with or without a tag. Several processes may use the
 * folder meanwhile. Rejects with `REGISTRY_FAILED`, nothing removed, when a manifest cannot be read: what it needs is not known.
 */
export async function collectGarbage(directory: string, options: CollectOptions = {}): Promise<Collected> {
  const { olderThanMs = dayMs, signal } = options
  const since = Date.now() - olderThanMs
  const repositories = await listRepositories(join(directory, 'repositories'))
  const needs = new Map<string, ReadonlySet<Digest>>()
  for (const path of repositories) {
    signal?.throwIfAborted()
    needs.set(path, await neededIn(directory, path))
  }
  const needed = new Set([...needs.values()].flatMap((digests) => [...digests]))
  let links = 0
  for (const [path, own] of needs) {
    signal?.throwIfAborted()
    links += await sweepLinks(path, own, needed, since)
    await sweepReferrers(path, since)
  }
  return { ...(await sweepContent(join(directory, 'blobs'), needed, since, signal)), links }
}

/** The folders of repositories, at any depth. Parts of a name never begin with `_`. */
async function listRepositories(folder: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const entry of await list(folder)) {
    if (!entry.isDirectory() || entry.name.startsWith('_')) continue
    const path = join(folder, entry.name)
    found.push(path, ...(await listRepositories(path)))
  }
  return found
}

/** The manifests of a repository, and what they name. */
async function neededIn(directory: string, repository: string): Promise<ReadonlySet<Digest>> {
  const needed = new Set<Digest>()
  for await (const digest of digestsIn(join(repository, '_manifests'))) {
    needed.add(digest)
    const path = join(directory, 'blobs', ...digest.split(':'))
    const text = await orMissing(readFile(path, 'utf8'))
    if (text !== undefined) addNamed(parse(text, path), needed)
  }
  return needed
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new KiwiError('REGISTRY_FAILED', `the manifest ${path} is damaged: what it needs cannot be told`, {
      hint: 'Remove that manifest from its repositories, or push its image again.',
      cause,
    })
  }
}

/** Whatever looks like a descriptor, at any depth: forms of manifests that we do not know keep their parts, too. */
function addNamed(value: unknown, needed: Set<Digest>): void {
  if (typeof value !== 'object' || value === null) return
  if ('digest' in value && typeof value.digest === 'string' && parseDigest(value.digest)) needed.add(value.digest)
  for (const part of Object.values(value)) addNamed(part, needed)
}

/** A blob that its repository still has is needed, too. */
async function sweepLinks(repository: string, own: ReadonlySet<Digest>, needed: Set<Digest>, since: number) {
  let links = 0
  for await (const digest of digestsIn(join(repository, '_blobs'), since)) {
    const isSwept =
      !own.has(digest) && (await sweep(join(repository, '_blobs', ...digest.split(':')), since)) !== undefined
    if (isSwept) links += 1
    else needed.add(digest)
  }
  return links
}

/** Of manifests that were removed. */
async function sweepReferrers(repository: string, since: number): Promise<void> {
  const present = new Set(await Array.fromAsync(digestsIn(join(repository, '_manifests'))))
  for (const { name: subject } of await list(join(repository, '_referrers'))) {
    for (const { name } of await list(join(repository, '_referrers', subject))) {
      if (!present.has(name)) await sweep(join(repository, '_referrers', subject, name), since)
    }
  }
}

async function sweepContent(
  blobs: string,
  needed: ReadonlySet<Digest>,
  since: number,
  signal: AbortSignal | undefined,
) {
  const freed = { bytes: 0, blobs: 0 }
  for (const { name: algorithm } of await list(blobs)) {
    for (const { name } of await list(join(blobs, algorithm))) {
      signal?.throwIfAborted()
      const path = join(blobs, algorithm, name)
      if (needed.has(`${algorithm}:${name}`) || (await settleAside(path, since))) continue
      const bytes = await sweep(path, since) // a blob, or the part of one that a process which is gone has left
      if (bytes === undefined) continue
      freed.bytes += bytes
      if (parseDigest(`${algorithm}:${basename(path)}`)) freed.blobs += 1
    }
  }
  return freed
}

/** Reads `<algorithm>/<hex>`; with `since`, ends first what a sweep that died has begun. */
async function* digestsIn(folder: string, since?: number): AsyncGenerator<Digest> {
  for (const { name: algorithm } of await list(folder)) {
    for (const { name } of await list(join(folder, algorithm))) {
      if (since !== undefined) await settleAside(join(folder, algorithm, name), since)
      if (parseDigest(`${algorithm}:${name}`)) yield `${algorithm}:${name}`
    }
  }
}

async function list(folder: string): Promise<readonly Dirent[]> {
  return (await orMissing(readdir(folder, { withFileTypes: true }))) ?? []
}
