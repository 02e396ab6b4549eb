import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { KiwiError } from '@kiwi/core'
import type { Login } from './credentials.js'
import { isDockerHub } from './endpoint.js'

/** In place of a user's name: the password is an identity token. */
export const identityTokenUser = '<token>'

/**
 * Looks a host's login up as the docker client does: its credential helper, the store of all, then the file itself.
 * `undefined` when there is none. Rejects with `INPUT_INVALID` when the file is not JSON, `TOOL_MISSING` when a helper is not installed.
 */
export async function dockerConfigLogin(
  host: string,
  path: string | undefined,
  signal: AbortSignal,
  repository?: string,
): Promise<Login | undefined> {
  const file = path ?? join(process.env.DOCKER_CONFIG ?? join(homedir(), '.docker'), 'config.json')
  return loginInFile(
    { file, wanted: path !== undefined, keys: keysOf(host), more: moreKeysOf(host, repository) },
    signal,
  )
}

export interface LoginFile {
  readonly file: string
  readonly wanted: boolean
  readonly keys: readonly string[]
  /** For the file itself, which holds what several tools have written. Default: `keys`. */
  readonly more?: readonly string[]
}

/** The first of the keys that has a login in a file of docker's form. A file that is not there is an error where it is `wanted`. */
export async function loginInFile(
  { file, wanted, keys, more = keys }: LoginFile,
  signal: AbortSignal,
): Promise<Login | undefined> {
  const config = parse(file, await readConfig(file, wanted, signal))
  for (const key of keys) {
    const helper = stringIn(config.credHelpers, key) ?? stringIn(config, 'credsStore')
    const login = helper === undefined ? undefined : await askHelper(helper, key, signal)
    if (login) return login
  }
  for (const key of more) {
    const login = loginOf(fieldOf(config.auths, key))
    if (login) return login
  }
  return undefined
}

/** Docker Hub is filed under its oldest address. */
function keysOf(host: string): readonly string[] {
  if (isDockerHub(host)) return ['https://index.docker.io/v1/', 'docker.io', 'index.docker.io']
  return [host, `https://${host}`, `http://${host}`]
}

/** Some tools file a login under a part of the registry, others under the address of its API. */
function moreKeysOf(host: string, repository: string | undefined): readonly string[] {
  const keys = keysOf(host)
  const parts = repository?.split('/') ?? []
  const scoped = parts.map((_, index) => [host, ...parts.slice(0, parts.length - index)].join('/'))
  return [...scoped, ...keys, ...keys.flatMap((key) => ['/', '/v1/', '/v1', '/v2/', '/v2'].map((path) => key + path))]
}

async function readConfig(file: string, wanted: boolean, signal: AbortSignal): Promise<string> {
  try {
    return await readFile(file, { encoding: 'utf8', signal })
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    if (!wanted) return '{}'
    throw new KiwiError('INPUT_INVALID', `the docker configuration ${file} cannot be read`, { cause })
  }
}

/** The parser's own message is left out: it quotes the text, which holds passwords. */
function parse(file: string, text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
  } catch {}
  throw new KiwiError('INPUT_INVALID', `the docker configuration ${file} is not a JSON object`)
}

function loginOf(entry: unknown): Login | undefined {
  const identityToken = stringIn(entry, 'identitytoken')
  if (identityToken) return { username: identityTokenUser, password: identityToken }
  const [username, password] = [stringIn(entry, 'username'), stringIn(entry, 'password')]
  if (username && password) return { username, password }
  const [match, name = '', rest = ''] = /^([^:]+):(.*)$/s.exec(decode(stringIn(entry, 'auth'))) ?? []
  return match === undefined ? undefined : { username: name, password: rest }
}

function decode(auth: string | undefined): string {
  return Buffer.from(auth ?? '', 'base64').toString()
}

/** Speaks the protocol of `docker-credential-*`: the key on standard input, JSON back; not zero when there is no login. */
async function askHelper(name: string, key: string, signal: AbortSignal): Promise<Login | undefined> {
  const program = `docker-credential-${name}`
  if (!/^[A-Za-z0-9._-]+$/.test(name))
    throw new KiwiError('INPUT_INVALID', `'${name}' is not a credential helper's name`)
  const text = await new Promise<string>((resolve, reject) => {
    const child = execFile(program, ['get'], { signal, timeout: 30_000 }, (error, output) => {
      if (error && 'code' in error && error.code === 'ENOENT') reject(missingHelper(program))
      else if (signal.aborted) reject(signal.reason)
      else resolve(error ? '{}' : output)
    })
    child.stdin?.on('error', () => undefined) // it may end without reading
    child.stdin?.end(key)
  })
  const answer = parse(`credential helper ${program}`, text)
  const [username, password] = [stringIn(answer, 'Username'), stringIn(answer, 'Secret')]
  return username && password ? { username, password } : undefined
}

function missingHelper(program: string): KiwiError {
  return new KiwiError('TOOL_MISSING', `the docker configuration names ${program}, which is not installed`, {
    hint: `Install ${program}, or give user name and password for this registry.`,
  })
}

interface JsonObject {
  readonly [key: string]: unknown
}

function fieldOf(value: unknown, key: string): unknown {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
}

function stringIn(value: unknown, key: string): string | undefined {
  const field = fieldOf(value, key)
  return typeof field === 'string' && field !== '' ? field : undefined
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
