import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context, SecretReference } from '../contracts/v1/context.js'
import { folderPrefix, isLeftBehind } from '../journal/worker.js'
import { createRedactor } from '../secrets/redactor.js'
import { cancelled } from './cancelled.js'
import { configurationFor, environmentFor, type GitPlace } from './git-environment.js'
import { gitError } from './git-error.js'
import { endHelpers } from './git-processes.js'
import { type SourceLimits, tooLarge, type Watch, withDeadline } from './limits.js'
import type { RepositoryAddress } from './url.js'

/** Where and as whom git works. */
export interface GitAccess {
  readonly address: RepositoryAddress
  readonly token?: SecretReference | undefined
  /** Absolute. Each operation gets a folder of its own in it. */
  readonly directory: string
  readonly limits: SourceLimits
  /**
   * git looks at someone's own repository instead of at our copy: it may belong to anyone, and no protocol is allowed. Only such commands may
   * be run in it that carry out nothing of its configuration.
   */
  readonly ownFiles?: boolean | undefined
}

/** git for the length of one operation. */
export interface Git {
  /** The operation's own folder. */
  readonly scratch: string
  readonly address: RepositoryAddress
  readonly limits: SourceLimits
  readonly watch: Watch
  /** Runs git and gives its standard output, trimmed. Rejects with a `KiwiError` that has git's own words, redacted. */
  run(args: readonly string[], place?: GitPlace): Promise<string>
  /** The same for a list that ends each entry with a NUL; stopped with `SOURCE_TOO_LARGE` when it has more entries than files are allowed. */
  list(args: readonly string[], place?: GitPlace): Promise<string[]>
}

/**
 * Gives `use` a git that asks nobody anything, reads no configuration but ours, runs no hooks and speaks one protocol.
 * The folder stays when `keep` says so; it is removed otherwise, and always on failure.
 */
export async function withGit<T>(
  access: GitAccess,
  context: Pick<Context, 'signal' | 'secret'>,
  use: (git: Git) => Promise<T>,
  { keep = false }: { readonly keep?: boolean } = {},
): Promise<T> {
  if (context.signal.aborted) throw cancelled(context.signal)
  const scratch = await makeScratch(access)
  return withDeadline(context.signal, access.limits, access.address.url, async (watch) => {
    const kill = () => void endHelpers(scratch)
    watch.signal.addEventListener('abort', kill)
    try {
      const result = await withToken(access, context, (token) => use(createGit(access, { scratch, watch, token })))
      if (!keep) await removeDirectory(scratch)
      return result
    } catch (error) {
      if (watch.signal.aborted) await endHelpers(scratch)
      await removeDirectory(scratch)
      throw error
    } finally {
      watch.signal.removeEventListener('abort', kill)
    }
  })
}

/** Retries because a helper of a git that was just killed may still be writing. */
export async function removeDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
}

async function makeScratch({ address, directory, ownFiles }: GitAccess): Promise<string> {
  const scratch = await makeWorkFolder(directory)
  await writeFile(join(scratch, 'configuration'), configurationFor(address, { ownFiles }))
  return scratch
}

/** A folder that `removeLeftovers` finds when this process is killed. */
export async function makeWorkFolder(directory: string): Promise<string> {
  const parent = join(directory, 'work')
  await mkdir(parent, { recursive: true, mode: 0o700 })
  return mkdtemp(join(parent, folderPrefix()))
}

/** Removes the trees and scratch folders of processes that were killed; one that is alive keeps its own. */
export async function removeLeftovers(directory: string): Promise<void> {
  const parent = join(directory, 'work')
  const left = (await readdir(parent).catch(() => [])).filter(isLeftBehind)
  await Promise.all(left.map((name) => removeDirectory(join(parent, name))))
}

function withToken<T>(
  { token }: GitAccess,
  context: Pick<Context, 'secret'>,
  use: (token: string | undefined) => Promise<T>,
): Promise<T> {
  return token === undefined ? use(undefined) : context.secret(token, use)
}

function createGit(
  { address, limits, ownFiles = false, token: reference }: GitAccess,
  { scratch, watch, token }: { readonly scratch: string; readonly watch: Watch; readonly token: string | undefined },
): Git {
  const { signal } = watch
  const redactor = createRedactor()
  if (token !== undefined) redactor.add(token, reference?.secret ?? 'token')
  const run = async (args: readonly string[], place: GitPlace = {}, onEntries?: (chunk: Uint8Array) => void) => {
    if (signal.aborted) throw cancelled(signal)
    // Loaded at first use: importing @kiwi/core stays fast.
    const { simpleGit } = await import('simple-git')
    const environment = environmentFor({ address, scratch, token, ownFiles, place })
    const git = simpleGit({
      baseDir: place.directory ?? scratch,
      abort: signal,
      // A path in a list may begin with a space.
      trimmed: onEntries === undefined,
      allowEnvironment: Object.keys(environment),
      unsafe: { allowUnsafeConfigEnvCount: true, allowUnsafeConfigPaths: true, allowUnsafeSshCommand: true },
      // The default takes a failure without a word on stderr for a success.
      errors: (error, { exitCode, stdErr }) =>
        error ?? (exitCode === 0 ? undefined : Buffer.from(`git ended with ${exitCode}. ${Buffer.concat(stdErr)}`)),
    })
    if (onEntries !== undefined) git.outputHandler((_command, output) => void output.on('data', onEntries))
    try {
      return await git.env(environment).raw([...args])
    } catch (error) {
      throw signal.aborted ? cancelled(signal) : gitError(error, { address, redactor })
    }
  }
  return {
    scratch,
    address,
    limits,
    watch,
    run: (args, place) => run(args, place),
    list: async (args, place) => {
      const output = await run(args, place, entryLimit(address.url, limits, watch))
      return output.split('\0').filter((entry) => entry !== '')
    },
  }
}

/** A tree of a few kilobytes can name the same files a billion times over: the list is stopped while it is being written. */
function entryLimit(what: string, { maxFiles }: SourceLimits, watch: Watch): (chunk: Uint8Array) => void {
  let [entries, bytes] = [0, 0]
  return (chunk) => {
    bytes += chunk.length
    for (const byte of chunk) if (byte === 0) entries += 1
    if (entries > maxFiles || bytes > (maxFiles + 1000) * 500)
      watch.stop(tooLarge(what, { limit: 'maxFiles', allowed: maxFiles, seen: entries }))
  }
}
