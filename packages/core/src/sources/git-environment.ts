import { join } from 'node:path'
import type { RepositoryAddress } from './url.js'

/** How one git process is to see the world. */
export interface GitPlace {
  /** Where it runs. Default: the operation's own folder. */
  readonly directory?: string | undefined
  readonly repository?: string | undefined
  readonly index?: string | undefined
  readonly workTree?: string | undefined
  /** A configuration file that git-lfs is to use; its filter then replaces pointers by what they point at. */
  readonly largeFiles?: string | undefined
}

/** In a file rather than in the environment: the far side of a local repository reads this file too, the environment it does not. */
export function configurationFor({ protocol, url }: RepositoryAddress, { ownFiles = false } = {}): string {
  const local = protocol === 'file' ? [url, join(url, '.git')] : []
  const safe = ownFiles ? ['*'] : local
  return `[init]
\ttemplateDir =
\tdefaultBranch = kiwi
[core]
\thooksPath = /dev/null
\tfsmonitor = false
\tautocrlf = false
\tprotectHFS = true
\tprotectNTFS = true
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
${safe.map((path) => `\tdirectory = ${quoted(path)}\n`).join('')}`
}

/**
 * What git-lfs reads besides. `lfs.url` wins over a `.lfsconfig` in the repository, which could name another server. The credential helper is a
 * constant that hands on two variables, for the token's origin only: a header in the environment, as git gets it, would end up in the crash log
 * that git-lfs writes (it lists every variable with GIT_ in its name).
 */
export function largeFileConfiguration(address: RepositoryAddress, storage: string): string {
  const { origin } = address
  const helper =
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$KIWI_SOURCE_USER" "$KIWI_SOURCE_PASSWORD"; }; f'
  return `${configurationFor(address)}
[filter "lfs"]
\tprocess = git-lfs filter-process
\trequired = true
[lfs]
\turl = ${quoted(largeFileServer(address))}
\tstorage = ${quoted(storage)}
\tfetchinclude =
\tfetchexclude =
\tskipdownloaderrors = false
[remote "origin"]
\turl = ${quoted(address.protocol === 'file' ? fileUrl(address.url) : address.url)}
${origin === undefined ? '' : `[credential ${quoted(origin.replace(/\/$/, ''))}]\n\thelper = ${quoted(helper)}\n`}`
}

/** Only what is listed: a variable of the host program (a key, an askpass helper, a GIT_DIR) must not change what git does. */
export function environmentFor({
  address,
  scratch,
  token,
  ownFiles,
  place,
}: {
  readonly address: RepositoryAddress
  readonly scratch: string
  readonly token: string | undefined
  readonly ownFiles: boolean
  readonly place: GitPlace
}): Record<string, string> {
  const environment: Record<string, string> = {
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: place.largeFiles ?? join(scratch, 'configuration'),
    GIT_ALLOW_PROTOCOL: ownFiles ? 'none' : address.protocol,
    // A constant: git hands it to a shell. Without a terminal, a question would wait for ever.
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oConnectTimeout=30 -oServerAliveInterval=15',
    ...(place.largeFiles === undefined && { GIT_LFS_SKIP_SMUDGE: '1' }),
    ...(place.repository !== undefined && { GIT_DIR: place.repository }),
    ...(place.index !== undefined && { GIT_INDEX_FILE: place.index }),
    ...(place.workTree !== undefined && { GIT_WORK_TREE: place.workTree }),
  }
  for (const name of inherited) {
    const value = process.env[name]
    if (value !== undefined) environment[name] = value
  }
  if (token === undefined || address.origin === undefined) return environment
  return { ...environment, ...(place.largeFiles === undefined ? header(address.origin, token) : pair(token)) }
}

const inherited = [
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'TMPDIR', 'SSH_AUTH_SOCK', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'GIT_SSL_CAINFO'],
  ...['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY', 'https_proxy', 'http_proxy', 'all_proxy', 'no_proxy'],
]

/**
 * As configuration in the environment: not in argv, not in a URL, not on disk. `Authorization` for one origin only; other header
 * names would follow a redirect to a second host.
 */
function header(origin: string, token: string): Record<string, string> {
  const { user, password } = credentialsOf(token)
  const encoded = Buffer.from(`${user}:${password}`).toString('base64')
  return {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `http.${origin}.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${encoded}`,
  }
}

function pair(token: string): Record<string, string> {
  const { user, password } = credentialsOf(token)
  return { KIWI_SOURCE_USER: user, KIWI_SOURCE_PASSWORD: password }
}

/** A value `user:password` is used as it is; a bare token gets the user name that GitHub asks for and GitLab, Gitea and Forgejo ignore. */
function credentialsOf(token: string): { user: string; password: string } {
  const colon = token.indexOf(':')
  return colon === -1
    ? { user: 'x-access-token', password: token }
    : { user: token.slice(0, colon), password: token.slice(colon + 1) }
}

function largeFileServer({ protocol, url, origin }: RepositoryAddress): string {
  if (protocol === 'file') return fileUrl(url)
  if (origin === undefined) return url
  const path = url.replace(/\/+$/, '')
  return `${path.endsWith('.git') ? path : `${path}.git`}/info/lfs`
}

function fileUrl(path: string): string {
  return `file://${path}`
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
