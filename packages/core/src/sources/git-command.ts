import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context, SecretReference } from '../contracts/v1/context.js'
import { folderPrefix, isLeftBehind } from '../journal/worker.js'
import { createRedactor } from '../secrets/redactor.js'
import { cancelled } from './cancelled.js'
import { gitError } from './git-error.js'
import { endHelpers } from './git-processes.js'
import type { RepositoryAddress } from './url.js'

/** Where and as whom git works. */
export interface GitAccess {
  readonly address: RepositoryAddress
  readonly token?: SecretReference | undefined
  /** Absolute. Each operation gets a folder of its own in it. */
  readonly directory: string
}

/** git for the length of one operation. */
export interface Git {
  /** The operation's own folder. */
  readonly scratch: string
  readonly address: RepositoryAddress
  readonly signal: AbortSignal
  /** Runs git and gives its standard output, trimmed. Rejects with a `KiwiError` that has git's own words, redacted. */
  run(args: readonly string[], where?: GitPlace): Promise<string>
}

interface GitPlace {
  readonly directory?: string | undefined
  readonly index?: string | undefined
  readonly workTree?: string | undefined
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
  try {
    const result = await withToken(access, context, (token) => use(createGit(access, scratch, context.signal, token)))
    if (!keep) await removeDirectory(scratch)
    return result
  } catch (error) {
    if (context.signal.aborted) await endHelpers(scratch)
    await removeDirectory(scratch)
    throw error
  }
}

/** Retries because a helper of a git that was just killed may still be writing. */
export async function removeDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
}

async function makeScratch({ address, directory }: GitAccess): Promise<string> {
  const parent = join(directory, 'work')
  await mkdir(parent, { recursive: true, mode: 0o700 })
  const scratch = await mkdtemp(join(parent, folderPrefix()))
  await writeFile(join(scratch, 'configuration'), configurationFor(address))
  return scratch
}

/** Removes the trees and scratch folders of processes that were killed; one that is alive keeps its own. */
export async function removeLeftovers(directory: string): Promise<void> {
  const parent = join(directory, 'work')
  const left = (await readdir(parent).catch(() => [])).filter(isLeftBehind)
  await Promise.all(left.map((name) => removeDirectory(join(parent, name))))
}

/** In a file rather than in the environment: the far side of a local repository reads this file too, the environment it does not. */
function configurationFor({ protocol, url }: RepositoryAddress): string {
  const safe = protocol === 'file' ? [url, join(url, '.git')] : []
  return `[init]
\ttemplateDir =
\tdefaultBranch = kiwi
[core]
\thooksPath = /dev/null
\tfsmonitor = false
\tautocrlf = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
[fetch]
\tunpackLimit = 1
\trecurseSubmodules = false
[http]
\tfollowRedirects = false
\tlowSpeedLimit = 100
\tlowSpeedTime = 60
[safe]
${safe.map((path) => `\tdirectory = "${path.replaceAll('"', '\\"')}"\n`).join('')}`
}

function withToken<T>(
  { token }: GitAccess,
  context: Pick<Context, 'secret'>,
  use: (token: string | undefined) => Promise<T>,
): Promise<T> {
  return token === undefined ? use(undefined) : context.secret(token, use)
}

function createGit(
  { address, token: reference }: GitAccess,
  scratch: string,
  signal: AbortSignal,
  token?: string,
): Git {
  const redactor = createRedactor()
  if (token !== undefined) redactor.add(token, reference?.secret ?? 'token')
  return {
    scratch,
    address,
    signal,
    async run(args, where = {}) {
      // Loaded at first use: importing @kiwi/core stays fast.
      const { simpleGit } = await import('simple-git')
      const environment = environmentFor({ address, scratch, token, where })
      const git = simpleGit({
        baseDir: where.directory ?? scratch,
        abort: signal,
        trimmed: true,
        allowEnvironment: Object.keys(environment),
        unsafe: { allowUnsafeConfigEnvCount: true, allowUnsafeConfigPaths: true, allowUnsafeSshCommand: true },
        // The default takes a failure without a word on stderr for a success.
        errors: (error, { exitCode, stdErr }) =>
          error ?? (exitCode === 0 ? undefined : Buffer.from(`git ended with ${exitCode}. ${Buffer.concat(stdErr)}`)),
      })
      try {
        return await git.env(environment).raw([...args])
      } catch (error) {
        throw signal.aborted ? cancelled(signal) : gitError(error, { address, redactor })
      }
    },
  }
}

const inherited = [
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'TMPDIR', 'SSH_AUTH_SOCK', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'GIT_SSL_CAINFO'],
  ...['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY', 'https_proxy', 'http_proxy', 'all_proxy', 'no_proxy'],
]

interface EnvironmentOptions {
  readonly address: RepositoryAddress
  readonly scratch: string
  readonly token: string | undefined
  readonly where: GitPlace
}

/** Only what is listed: a variable of the host program (a key, an askpass helper, a GIT_DIR) must not change what git does. */
function environmentFor({ address, scratch, token, where }: EnvironmentOptions): Record<string, string> {
  const environment: Record<string, string> = {
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: join(scratch, 'configuration'),
    GIT_ALLOW_PROTOCOL: address.protocol,
    GIT_LFS_SKIP_SMUDGE: '1',
    // A constant: git hands it to a shell. Without a terminal, a question would wait for ever.
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oConnectTimeout=30 -oServerAliveInterval=15',
  }
  for (const name of inherited) {
    const value = process.env[name]
    if (value !== undefined) environment[name] = value
  }
  if (where.index !== undefined) environment.GIT_INDEX_FILE = where.index
  if (where.workTree !== undefined) environment.GIT_WORK_TREE = where.workTree
  if (token !== undefined && address.origin !== undefined)
    Object.assign(environment, authorization(address.origin, token))
  return environment
}

/**
 * As configuration in the environment: not in argv, not in a URL, not on disk. `Authorization` for one origin only; other header
 * names would follow a redirect to a second host. A value `user:password` is used as it is; a bare token gets the user name that
 * GitHub asks for and GitLab, Gitea and Forgejo ignore.
 */
function authorization(origin: string, token: string): Record<string, string> {
  const pair = token.includes(':') ? token : `x-access-token:${token}`
  return {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `http.${origin}.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${Buffer.from(pair).toString('base64')}`,
  }
}
