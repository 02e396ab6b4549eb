import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KiwiError } from '@kiwi/core'
import { afterEach, expect, test, vi } from 'vitest'
import { dockerConfigLogin } from './docker-config.js'
import { temporaryDirectory } from './testing/image.js'

const { signal } = new AbortController()
const auth = (text: string) => Buffer.from(text).toString('base64')

async function look(config: unknown, host: string, repository?: string) {
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'config.json')
  await writeFile(file, typeof config === 'string' ? config : JSON.stringify(config))
  return await dockerConfigLogin(host, file, signal, repository)
}

afterEach(() => vi.unstubAllEnvs())

test('finds the login of a host, also when the password holds a colon', async () => {
  const config = { auths: { '127.0.0.1:5001': { auth: auth('kiwi:s3cret:P@ss') } } }
  expect(await look(config, '127.0.0.1:5001')).toEqual({ username: 'kiwi', password: 's3cret:P@ss' })
})

test('finds a login that was saved under an address with a scheme, or in plain fields', async () => {
  const config = { auths: { 'https://registry.example.com': { username: 'ana', password: 'pw' } } }
  expect(await look(config, 'registry.example.com')).toEqual({ username: 'ana', password: 'pw' })
})

test.each(['docker.io', 'registry-1.docker.io'])(
  'finds Docker Hub under its oldest address when asked for %s',
  async (host) => {
    const config = { auths: { 'https://index.docker.io/v1/': { auth: auth('hub:pw') } } }
    expect(await look(config, host)).toEqual({ username: 'hub', password: 'pw' })
  },
)

test('has no login for another host, for a name of Object, or an empty entry', async () => {
  const config = { auths: { 'a.example.com': { auth: auth('a:b') }, 'b.example.com': {} } }
  expect(await look(config, 'c.example.com')).toBeUndefined()
  expect(await look(config, 'b.example.com')).toBeUndefined()
  expect(await look(config, 'constructor')).toBeUndefined()
})

test('never quotes the file when it is malformed', async () => {
  const failure: unknown = await look('{"auths": {"a": {"password": "hunter2"', 'a').catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'INPUT_INVALID' })
  expect(JSON.stringify(KiwiError.from(failure).toRecord())).not.toContain('hunter2')
})

test('rejects a file that was named and is not there, but does without the usual one', async () => {
  await expect(dockerConfigLogin('a', '/nonexistent/config.json', signal)).rejects.toMatchObject({
    code: 'INPUT_INVALID',
  })
  vi.stubEnv('DOCKER_CONFIG', '/nonexistent')
  expect(await dockerConfigLogin('a', undefined, signal)).toBeUndefined()
})

test('asks the credential helper of a host on its standard input', async () => {
  await using directory = await temporaryDirectory()
  const helper = join(directory.path, 'docker-credential-fake')
  const script = '#!/bin/sh\nread key\necho "{\\"Username\\":\\"$key\\",\\"Secret\\":\\"from-$1\\"}"\n'
  await writeFile(helper, script)
  await chmod(helper, 0o755)
  vi.stubEnv('PATH', `${directory.path}:${process.env.PATH}`)
  const config = { credHelpers: { 'registry.example.com': 'fake' } }
  expect(await look(config, 'registry.example.com')).toEqual({ username: 'registry.example.com', password: 'from-get' })
})

test('names a credential helper that is not installed', async () => {
  await expect(look({ credsStore: 'nowhere' }, 'a.example.com')).rejects.toMatchObject({
    code: 'TOOL_MISSING',
    message: 'the docker configuration names docker-credential-nowhere, which is not installed',
  })
})

test('refuses a helper whose name is a path', async () => {
  await expect(look({ credsStore: '../../bin/sh' }, 'a.example.com')).rejects.toMatchObject({ code: 'INPUT_INVALID' })
})

test.each(['https://r.example.com/v2/', 'https://r.example.com/v1/', 'r.example.com/', 'https://r.example.com'])(
  'finds a login that a tool saved under %s',
  async (key) => {
    const config = { auths: { [key]: { auth: auth('ana:pw') } } }
    expect(await look(config, 'r.example.com')).toEqual({ username: 'ana', password: 'pw' })
    expect(await look(config, 'example.com')).toBeUndefined()
  },
)

test('finds the login of the part of a registry that the repository lies in, not that of another part', async () => {
  const config = { auths: { 'r.example.com/team': { auth: auth('team:1') }, 'r.example.com': { auth: auth('all:2') } } }
  expect((await look(config, 'r.example.com', 'team/web'))?.username).toBe('team')
  expect((await look(config, 'r.example.com', 'teams/web'))?.username).toBe('all')
  expect((await look(config, 'r.example.com'))?.username).toBe('all')
})

test('takes the identity token of an entry for its password, and of a helper what it says', async () => {
  const config = { auths: { 'r.example.com': { auth: auth('00000000-0000:'), identitytoken: 'identity' } } }
  expect(await look(config, 'r.example.com')).toEqual({ username: '<token>', password: 'identity' })
})
