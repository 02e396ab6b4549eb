import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { testContext } from '../testing/context.js'
import { gitSource } from './git.js'
import { gitHttpBackend, testGitServer } from './test-git-server.js'
import { fakeLargeFileTool, largeFileServer, pointerTo } from './test-large-files.js'
import { removeTestDirectories, type TestRepository, testDirectory, testRepository } from './test-repository.js'

afterAll(removeTestDirectories)
// Each of these starts many processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 30_000 })
afterEach(() => vi.unstubAllEnvs())

const token = 'ghp_16C7e42F292c6912E7710c838347Ae178B4a'
const basic = Buffer.from(`x-access-token:${token}`).toString('base64')
const content = 'a large file, for the sake of argument\n'
const contextWithToken = () => testContext({ secrets: { GIT_TOKEN: token } })

function repositoryWithLargeFile(more: Record<string, string> = {}): TestRepository {
  const repository = testRepository()
  repository.commit('Large', {
    '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n',
    'deep/large file.bin': pointerTo(content),
    'plain.txt': 'plain',
    ...more,
  })
  return repository
}

/** A PATH that has git and a shell, and what `tools` names. */
function pathWith(tools: Readonly<Record<string, string>> = {}): string {
  const bin = testDirectory()
  for (const name of ['git', 'sh', 'printf', 'test'])
    symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(bin, name))
  for (const [name, script] of Object.entries(tools)) writeFileSync(join(bin, name), script, { mode: 0o755 })
  return bin
}

function serving({ directory }: TestRepository) {
  return { root: dirname(directory), path: `/${basename(directory)}/.git` }
}

function everyFile(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
}

describe('large files', () => {
  it('are left as pointers, and said to be, when they are not asked for', async () => {
    const repository = repositoryWithLargeFile()
    const context = testContext()
    const source = gitSource({ git: repository.directory }, { directory: testDirectory() })
    await using tree = await source.open(await source.resolve('main', context), context)
    expect(readFileSync(join(tree.directory, 'deep/large file.bin'), 'utf8')).toBe(pointerTo(content))
    expect(context.facts).toEqual([
      {
        type: 'choice',
        what: 'large-files',
        value: 'pointers left',
        because: 'large files were not asked for; 1 of them are only pointers (deep/large file.bin)',
      },
    ])
  })

  it('are no subject in a repository that has none, with or without git-lfs', async () => {
    const repository = testRepository()
    repository.commit('Small', { 'a.txt': 'one', 'b.bin': pointerTo(content) })
    const context = testContext()
    vi.stubEnv('PATH', pathWith())
    const source = gitSource({ git: repository.directory, lfs: true }, { directory: testDirectory() })
    await using tree = await source.open(await source.resolve('main', context), context)
    expect(readdirSync(tree.directory)).toEqual(['a.txt', 'b.bin'])
    expect(context.facts).toEqual([])
  })

  it('need git-lfs, and name its package where it is not installed', async () => {
    const repository = repositoryWithLargeFile()
    vi.stubEnv('PATH', pathWith())
    const directory = testDirectory()
    const source = gitSource({ git: repository.directory, lfs: true }, { directory })
    const revision = await source.resolve('main', testContext())
    await expect(source.open(revision, testContext())).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      hint: expect.stringContaining('git-lfs'),
      evidence: { package: 'git-lfs' },
    })
    expect(readdirSync(join(directory, 'work'))).toEqual([])
  })

  it('count for the size limit by what their pointers say, before anything of them is fetched', async () => {
    const log = join(testDirectory(), 'log')
    const huge = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 999999999999\n`
    const repository = repositoryWithLargeFile({ 'huge.bin': huge })
    vi.stubEnv('PATH', pathWith({ 'git-lfs': fakeLargeFileTool({ log, content, hosts: [] }) }))
    const source = gitSource({ git: repository.directory, lfs: true }, { directory: testDirectory() })
    const revision = await source.resolve('main', testContext())
    await expect(source.open(revision, testContext())).rejects.toMatchObject({ code: 'SOURCE_TOO_LARGE' })
    expect(readFileSync(log, 'utf8')).not.toContain('fetch')
  })

  it.skipIf(!existsSync(gitHttpBackend))(
    'are fetched by a git-lfs that can log in at the repository’s own host only (needs git-http-backend)',
    async () => {
      const elsewhere = 'https://evil.example.com'
      const repository = repositoryWithLargeFile({ '.lfsconfig': `[lfs]\n\turl = ${elsewhere}/lfs\n` })
      const { root, path } = serving(repository)
      await using server = await testGitServer({ root })
      const log = join(testDirectory(), 'log')
      const hosts = [server.url, elsewhere, 'http://127.0.0.1:1', `${server.url}.example.com`]
      vi.stubEnv('PATH', pathWith({ 'git-lfs': fakeLargeFileTool({ log, content, hosts }) }))
      const directory = testDirectory()
      const definition = { git: server.url + path, token: { secret: 'GIT_TOKEN' }, lfs: true }
      const source = gitSource(definition, { directory })
      const context = contextWithToken()
      await using tree = await source.open(await source.resolve('main', context), context)
      expect(readFileSync(join(tree.directory, 'deep/large file.bin'), 'utf8')).toBe(content)
      expect(readFileSync(join(tree.directory, 'plain.txt'), 'utf8')).toBe('plain')
      const calls: { arguments: string[]; environment: Record<string, string>; known: string[]; server: string }[] =
        readFileSync(log, 'utf8')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line))
      expect(calls.map((call) => call.arguments[0])).toEqual(['version', 'fetch', 'filter-process'])
      const [mine, ...others] = calls[1]?.known ?? []
      expect(mine).toContain(`username=x-access-token\npassword=${token}\n`)
      expect(others.every((answer) => !answer.includes(token))).toBe(true)
      expect(others).toHaveLength(3)
      expect(calls[1]?.server).toBe(`${server.url}${path}/info/lfs`)
      // What git-lfs may write into a crash log.
      for (const call of calls.slice(1)) {
        const seen = Object.entries(call.environment).filter(([name]) => name.includes('GIT_'))
        expect(JSON.stringify([seen, call.arguments])).not.toMatch(new RegExp(`${token}|${basic}`))
      }
      expect(everyFile(directory).filter((text) => text.includes(token) || text.includes(basic))).toEqual([])
    },
  )

  it('that git-lfs did not bring are an error, not a pointer in an image', async () => {
    const log = join(testDirectory(), 'log')
    vi.stubEnv('PATH', pathWith({ 'git-lfs': fakeLargeFileTool({ log, content: pointerTo(content), hosts: [] }) }))
    const source = gitSource({ git: repositoryWithLargeFile().directory, lfs: true }, { directory: testDirectory() })
    const revision = await source.resolve('main', testContext())
    await expect(source.open(revision, testContext())).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      evidence: { path: 'deep/large file.bin' },
    })
  })
})

const hasTool = (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, 'git-lfs')))

describe.skipIf(!hasTool || !existsSync(gitHttpBackend))('large files (needs git-lfs and git-http-backend)', () => {
  it('come from the repository’s server with the token, and from where it sends git-lfs without', async () => {
    const repository = repositoryWithLargeFile({ '.lfsconfig': '[lfs]\n\turl = http://127.0.0.1:1/evil\n' })
    const { root, path } = serving(repository)
    await using storage = await testGitServer({ before: largeFileServer({ contents: [content] }) })
    const options = { contents: [content], authorization: `Basic ${basic}`, storage: storage.url }
    await using server = await testGitServer({ root, before: largeFileServer(options) })
    const directory = testDirectory()
    const source = gitSource({ git: server.url + path, token: { secret: 'GIT_TOKEN' }, lfs: true }, { directory })
    const context = contextWithToken()
    await using tree = await source.open(await source.resolve('main', context), context)
    expect(readFileSync(join(tree.directory, 'deep/large file.bin'), 'utf8')).toBe(content)
    expect(storage.requests.map(({ authorization }) => authorization)).toEqual([undefined])
    expect(everyFile(directory).filter((text) => text.includes(token) || text.includes(basic))).toEqual([])
  })

  it('do not take the token along when the server redirects or asks elsewhere', async () => {
    const repository = repositoryWithLargeFile()
    const { root, path } = serving(repository)
    await using second = await testGitServer({
      before: (_, response) => {
        response
          .writeHead(401, { 'lfs-authenticate': 'Basic realm="lfs"', 'www-authenticate': 'Basic realm="lfs"' })
          .end()
        return true
      },
    })
    await using server = await testGitServer({
      root,
      before: (request, response) => {
        if (request.url?.includes('/info/lfs') !== true) return false
        if (request.headers.authorization === undefined)
          response.writeHead(401, { 'lfs-authenticate': 'Basic realm="lfs"' }).end()
        else response.writeHead(307, { location: second.url + request.url }).end()
        return true
      },
    })
    const directory = testDirectory()
    const source = gitSource({ git: server.url + path, token: { secret: 'GIT_TOKEN' }, lfs: true }, { directory })
    const context = contextWithToken()
    const revision = await source.resolve('main', context)
    const error = await source.open(revision, context).catch((thrown: unknown) => thrown)
    // It would go there, asks who it is there, and is told nothing.
    const words = expect.stringContaining(`could not read Username for '${second.url}'`)
    expect(error).toMatchObject({ code: 'SOURCE_UNREACHABLE', evidence: { git: words } })
    expect(JSON.stringify(error)).not.toMatch(new RegExp(`${token}|${basic}`))
    expect(second.requests.filter(({ authorization }) => authorization !== undefined)).toEqual([])
    expect(everyFile(directory).filter((text) => text.includes(token) || text.includes(basic))).toEqual([])
  })

  it('come from a local repository too', async () => {
    const repository = repositoryWithLargeFile()
    const oid = /sha256:(\S+)/.exec(pointerTo(content))?.[1] ?? ''
    const folder = join(repository.directory, '.git/lfs/objects', oid.slice(0, 2), oid.slice(2, 4))
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, oid), content)
    const source = gitSource({ git: repository.directory, lfs: true }, { directory: testDirectory() })
    await using tree = await source.open(await source.resolve('main', testContext()), testContext())
    expect(readFileSync(join(tree.directory, 'deep/large file.bin'), 'utf8')).toBe(content)
  })
})
