import { readFile, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

/** Where a step finds them. */
export const settingsMount = '/run/kiwi'

/** What a step gets of the host's settings, for its own time only: in no layer, no configuration and no cache key. */
export interface HostSettings {
  /** For variables that neither the image nor an ARG sets. */
  readonly env: Readonly<Record<string, string>>
}

/** Variables that name a file with certificates, as the programs that read them call them. */
const certificateVariables = [
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'CURL_CA_BUNDLE',
  'REQUESTS_CA_BUNDLE',
  'PIP_CERT',
  'GIT_SSL_CAINFO',
  'AWS_CA_BUNDLE',
]
const proxyVariables = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY', 'FTP_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
])
const plainVariables = ['PIP_INDEX_URL', 'PIP_EXTRA_INDEX_URL', 'PIP_TRUSTED_HOST', 'GOPROXY', 'GONOSUMDB', 'GOSUMDB']

/** Writes the host's npm and pip settings, proxies and certificates into `directory`, which is mounted at `mountedAt` for the step. */
export async function writeHostSettings(directory: string, mountedAt: string): Promise<HostSettings> {
  const files = certificateCopier(directory, mountedAt)
  const plain = Object.entries(pick(plainVariables)).map(([name, value]) => [name, withoutCredentials(value)])
  const env: Record<string, string> = { ...pick(proxyVariables), ...Object.fromEntries(plain) }
  for (const name of certificateVariables) {
    const copy = await files(process.env[name])
    if (copy !== undefined) env[name] = copy
  }
  await writeFile(join(directory, 'npmrc'), await npmrc(files), { mode: 0o644 })
  env.npm_config_globalconfig = join(mountedAt, 'npmrc')
  const pip = await firstOf([
    process.env.PIP_CONFIG_FILE,
    join(homedir(), '.config/pip/pip.conf'),
    join(homedir(), '.pip/pip.conf'),
    '/etc/pip.conf',
  ])
  if (pip !== undefined) {
    await writeFile(join(directory, 'pip.conf'), withoutCredentials(pip))
    env.PIP_CONFIG_FILE = join(mountedAt, 'pip.conf')
  }
  return { env }
}

/** Users and passwords in addresses. A proxy keeps its own: without it nothing could be fetched at all. */
function withoutCredentials(text: string): string {
  return text.replace(/(\/\/)[^/@\s'"]+@/g, '$1')
}

function pick(names: readonly string[]): Record<string, string> {
  const set = names.map((name) => [name, process.env[name]] as const)
  return Object.fromEntries(
    set.filter((pair): pair is readonly [string, string] => pair[1] !== undefined && pair[1] !== ''),
  )
}

type Copier = (path: string | undefined) => Promise<string | undefined>

/** Copies each file of certificates once; gives where the step finds it, or undefined for one that cannot be read. */
function certificateCopier(directory: string, mountedAt: string): Copier {
  const copies = new Map<string, string>()
  return async (path) => {
    if (path === undefined || path === '') return undefined
    const known = copies.get(path)
    if (known !== undefined) return known
    const content = await readFile(path).catch(() => undefined)
    if (content === undefined) return undefined
    const name = `ca-${copies.size}.pem`
    await writeFile(join(directory, name), content)
    copies.set(path, join(mountedAt, name))
    return join(mountedAt, name)
  }
}

/**
 * Which registry, over which proxy: nothing that says how npm works on this machine, and no right of its user's. A step runs what others
 * wrote: who wants it to have a token says so, with `--mount=type=secret`.
 */
const npmKeys =
  /^(?:registry|proxy|https?-proxy|noproxy|strict-ssl|ca(?:\[\])?|cafile|fetch-[a-z-]+|maxsockets|@[^:=]+:registry|\/\/.+:cafile)$/

/** The host's global and user configuration in one. It is the step's global one, so that the project's and the image's own come first. */
async function npmrc(copy: Copier): Promise<string> {
  const files = [
    await globalNpmrc(),
    process.env.npm_config_userconfig ?? process.env.NPM_CONFIG_USERCONFIG ?? join(homedir(), '.npmrc'),
  ]
  const texts = await Promise.all(
    files.map((file) => (file === undefined ? '' : readFile(file, 'utf8').catch(() => ''))),
  )
  const fromEnv = ['registry', 'cafile', 'strict_ssl'].flatMap((key) => {
    const value = process.env[`npm_config_${key}`] ?? process.env[`NPM_CONFIG_${key.toUpperCase()}`]
    return value === undefined ? [] : [`${key.replace('_', '-')}=${value}`]
  })
  const lines = [...texts.flatMap((text) => text.split(/\r?\n/)), ...fromEnv]
  const kept: string[] = []
  for (const line of lines) {
    const [, key = '', value = ''] = /^\s*([^=#;\s]+)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (!npmKeys.test(key)) continue
    const expanded = value.replace(/\$\{([^}]+)\}/g, (whole, name: string) => process.env[name] ?? whole)
    const plain = key.endsWith('proxy') ? expanded : withoutCredentials(expanded)
    const own = key.endsWith('cafile') ? await copy(expanded) : plain
    if (own !== undefined) kept.push(`${key}=${own}`)
  }
  return kept.map((line) => `${line}\n`).join('')
}

/** npm keeps its global configuration beside itself: `<prefix>/etc/npmrc`. */
async function globalNpmrc(): Promise<string | undefined> {
  const told = process.env.npm_config_globalconfig ?? process.env.NPM_CONFIG_GLOBALCONFIG
  return told ?? join(dirname(dirname(process.execPath)), 'etc', 'npmrc')
}

async function firstOf(files: readonly (string | undefined)[]): Promise<string | undefined> {
  for (const file of files) {
    const text = file === undefined ? undefined : await readFile(file, 'utf8').catch(() => undefined)
    if (text !== undefined) return text
  }
  return undefined
}
