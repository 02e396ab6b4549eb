import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { KiwiError } from '../errors/kiwi-error.js'
import { testContext } from '../testing/context.js'
import { gitSource } from './git.js'
import { gitHttpBackend, testGitServer } from './test-git-server.js'
import { removeTestDirectories, testDirectory, testRepository } from './test-repository.js'

afterAll(removeTestDirectories)
// Each of these starts many processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 30_000 })

const token = 'ghp_16C7e42F292c6912E7710c838347Ae178B4a'
const basic = Buffer.from(`x-access-token:${token}`).toString('base64')
const context = testContext({ secrets: { GIT_TOKEN: token } })

function processes(): { id: string; argv: string; directory: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((id) => {
      try {
        return [{ id, argv: readFileSync(`/proc/${id}/cmdline`, 'latin1'), directory: readlinkSync(`/proc/${id}/cwd`) }]
      } catch {
        return [] // ended meanwhile
      }
    })
}

function filesHoldingToken(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => [token, basic].some((form) => existsSync(path) && readFileSync(path, 'latin1').includes(form)))
}

function serving(repository: { directory: string }) {
  return { root: dirname(repository.directory), path: `/${basename(repository.directory)}/.git` }
}

describe.skipIf(!existsSync(gitHttpBackend))('a git source over HTTP (needs git-http-backend)', () => {
  it.skipIf(!existsSync('/proc/self/cmdline'))(
    'sends the token to the server, and puts it neither into an argument nor on disk (needs /proc)',
    async () => {
      const repository = testRepository()
      const commit = repository.commit('Private thing', { 'a.txt': 'one' })
      const directory = testDirectory()
      const seen = { arguments: [] as string[], files: [] as string[], gits: 0 }
      const { root, path } = serving(repository)
      await using server = await testGitServer({
        root,
        before: (request, response) => {
          const running = processes()
          seen.gits += running.filter(({ argv }) => argv.includes(server.url)).length
          seen.arguments.push(
            ...running.map(({ argv }) => argv).filter((argv) => argv.includes(token) || argv.includes(basic)),
          )
          seen.files.push(...filesHoldingToken(directory))
          if (request.headers.authorization === `Basic ${basic}`) return false
          response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
          return true
        },
      })
      const source = gitSource({ git: server.url + path, token: { secret: 'GIT_TOKEN' } }, { directory })
      const revision = await source.resolve('main', context)
      expect(revision).toMatchObject({ commit, subject: 'Private thing' })
      await using tree = await source.open(revision, context)
      expect(readFileSync(join(tree.directory, 'a.txt'), 'utf8')).toBe('one')
      expect(seen.gits).toBeGreaterThan(0)
      expect(seen.arguments).toEqual([])
      expect([...seen.files, ...filesHoldingToken(directory)]).toEqual([])
    },
  )

  it('uses a value with a colon as user name and password', async () => {
    await using server = await testGitServer({ before: (_, response) => response.writeHead(500).end() !== undefined })
    const pair = testContext({ secrets: { GIT_TOKEN: 'robot:open-sesame' } })
    const source = gitSource(
      { git: `${server.url}/web.git`, token: { secret: 'GIT_TOKEN' } },
      { directory: testDirectory() },
    )
    await expect(source.resolve('main', pair)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE', retryable: true })
    expect(server.requests[0]?.authorization).toBe(`Basic ${Buffer.from('robot:open-sesame').toString('base64')}`)
  })

  it('does not follow a redirect to a second host', async () => {
    await using second = await testGitServer()
    await using first = await testGitServer({
      before: (request, response) => {
        response.writeHead(302, { location: second.url + request.url }).end()
        return true
      },
    })
    const source = gitSource(
      { git: `${first.url}/web.git`, token: { secret: 'GIT_TOKEN' } },
      { directory: testDirectory() },
    )
    await expect(source.resolve('main', context)).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      retryable: false,
      hint: expect.stringContaining('another address'),
    })
    expect(first.requests[0]?.authorization).toBe(`Basic ${basic}`)
    expect(second.requests).toEqual([])
  })

  it('says that access was refused, and repeats no token even when the server does', async () => {
    await using server = await testGitServer({
      before: (request, response) => {
        response
          .writeHead(403, { 'content-type': 'text/plain' })
          .end(`no rights for ${request.headers.authorization} ${token}\n`)
        return true
      },
    })
    const source = gitSource(
      { git: `${server.url}/web.git`, token: { secret: 'GIT_TOKEN' } },
      { directory: testDirectory() },
    )
    const error = await source.resolve('main', context).catch((thrown: unknown) => KiwiError.from(thrown))
    expect(error).toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      retryable: false,
      hint: expect.stringContaining('token'),
    })
    const told = error instanceof KiwiError ? JSON.stringify(error.toRecord()) + error.stack : ''
    expect(told).toContain('no rights for')
    expect(told).toContain('[redacted:GIT_TOKEN]')
    expect(told).not.toContain(token)
    expect(told).not.toContain(basic)
  })

  it('asks nobody for a password', async () => {
    await using server = await testGitServer({
      before: (_, response) => {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
        return true
      },
    })
    const source = gitSource({ git: `${server.url}/web.git` }, { directory: testDirectory() })
    await expect(source.resolve('main', context)).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      retryable: false,
      evidence: { git: expect.stringContaining('could not read Username') },
    })
  })

  it('finds a commit that the server does not send by name among all that it does', async () => {
    const repository = testRepository()
    const first = repository.commit('First thing', { 'a.txt': 'one' })
    repository.commit('Second thing', { 'a.txt': 'two' })
    const { root, path } = serving(repository)
    await using server = await testGitServer({ root, protocol: 0 })
    const source = gitSource({ git: server.url + path }, { directory: testDirectory() })
    await using tree = await source.open({ commit: first, ref: 'main' }, context)
    expect(readFileSync(join(tree.directory, 'a.txt'), 'utf8')).toBe('one')
    await expect(source.resolve('f'.repeat(40), context)).rejects.toMatchObject({ code: 'REF_NOT_FOUND' })
  })

  it.skipIf(!existsSync('/proc/self/cmdline'))(
    'kills git when the signal fires, and leaves nothing (needs /proc)',
    async () => {
      const stop = new AbortController()
      const closed = Promise.withResolvers<void>()
      await using server = await testGitServer({
        before: (request) => {
          request.socket.on('close', closed.resolve)
          stop.abort()
          return true // and never answers
        },
      })
      const directory = testDirectory()
      const source = gitSource({ git: `${server.url}/web.git` }, { directory })
      await expect(source.resolve('main', testContext({ signal: stop.signal }))).rejects.toMatchObject({
        code: 'CANCELLED',
      })
      await closed.promise
      expect(readdirSync(join(directory, 'work'))).toEqual([])
      expect(processes().filter((one) => one.directory.startsWith(directory) && one.argv !== '')).toEqual([])
    },
  )
})
