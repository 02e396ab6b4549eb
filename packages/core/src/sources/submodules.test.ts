import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { KiwiError } from '../errors/kiwi-error.js'
import { testContext } from '../testing/context.js'
import { gitSource } from './git.js'
import { submoduleAddress } from './submodule-address.js'
import { checkNesting } from './submodules.js'
import { gitHttpBackend, testGitServer } from './test-git-server.js'
import { removeTestDirectories, type TestRepository, testDirectory, testRepository } from './test-repository.js'
import { readRepositoryAddress } from './url.js'

afterAll(removeTestDirectories)
// Each of these starts many processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 30_000 })

const token = 'ghp_16C7e42F292c6912E7710c838347Ae178B4a'
const context = testContext()

/** Adds a gitlink and its entry, without asking the submodule anything. */
function addSubmodule(
  outer: TestRepository,
  { path, url, commit }: { readonly path: string; readonly url: string; readonly commit: string },
): string {
  outer.git('config', '--file', '.gitmodules', `submodule.the.${path}.path`, path)
  outer.git('config', '--file', '.gitmodules', `submodule.the.${path}.url`, url)
  outer.git('add', '.gitmodules')
  outer.git('update-index', '--add', '--cacheinfo', `160000,${commit},${path}`)
  outer.git('commit', '--quiet', '--message', `With ${path}`)
  return outer.git('rev-parse', 'HEAD')
}

const beside = ({ directory }: TestRepository) => `../${basename(directory)}`
const served = ({ directory }: TestRepository) => `/${basename(directory)}/.git`

describe('submodules', () => {
  it('are left as empty folders, and said to be, when they are not asked for', async () => {
    const outer = testRepository()
    addSubmodule(outer, { path: 'lib', url: '../lib', commit: 'a'.repeat(40) })
    const seen = testContext()
    const source = gitSource({ git: outer.directory }, { directory: testDirectory() })
    await using tree = await source.open(await source.resolve('main', seen), seen)
    expect(readdirSync(join(tree.directory, 'lib'))).toEqual([])
    expect(seen.facts).toMatchObject([{ type: 'choice', what: 'submodules', value: 'left out' }])
  })

  it('are there at exactly the commit that the outer repository names, nested ones too', async () => {
    const [innermost, inner, outer] = [testRepository(), testRepository(), testRepository()]
    const deep = innermost.commit('Innermost', { 'deep.txt': 'd' })
    innermost.commit('Later', { 'deep.txt': 'later' })
    inner.commit('Inner', { 'inner.txt': 'i' })
    const commit = addSubmodule(inner, { path: 'nested', url: `${beside(innermost)}/`, commit: deep })
    inner.commit('Later', { 'later.txt': 'l' })
    outer.commit('Outer', { 'outer.txt': 'o' })
    addSubmodule(outer, { path: 'vendor/lib', url: beside(inner), commit })
    const directory = testDirectory()
    const source = gitSource({ git: outer.directory, submodules: true }, { directory })
    const tree = await source.open(await source.resolve('main', context), context)
    const files = readdirSync(tree.directory, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    )
    expect(files.map(({ name }) => name).sort()).toEqual([
      '.gitmodules',
      '.gitmodules',
      'deep.txt',
      'inner.txt',
      'outer.txt',
    ])
    expect(readFileSync(join(tree.directory, 'vendor/lib/nested/deep.txt'), 'utf8')).toBe('d')
    await tree[Symbol.asyncDispose]()
    expect(readdirSync(join(directory, 'work'))).toEqual([])
  })

  it('count for the limits of the whole', async () => {
    const [inner, outer] = [testRepository(), testRepository()]
    const commit = inner.commit('Inner', { a: 'a', b: 'b' })
    addSubmodule(outer, { path: 'lib', url: beside(inner), commit })
    const directory = testDirectory()
    const open = async (maxFiles: number) => {
      const source = gitSource({ git: outer.directory, submodules: true }, { directory, maxFiles })
      await using tree = await source.open(await source.resolve('main', context), context)
      return readdirSync(tree.directory).length
    }
    expect(await open(3)).toBe(2)
    await expect(open(2)).rejects.toMatchObject({ code: 'SOURCE_TOO_LARGE', evidence: { limit: 'maxFiles', seen: 3 } })
    expect(readdirSync(join(directory, 'work'))).toEqual([])
  })

  it('are refused when they nest deeper than five repositories, or are more than 200', () => {
    const links = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ path: `m${index}`, commit: 'a'.repeat(40) }))
    const tree = (count: number) => ({ files: [], bytes: 0, submodules: links(count) })
    const count = { submodules: 0 }
    checkNesting(4, tree(199), count)
    checkNesting(0, tree(1), count)
    const refused = expect.objectContaining({ code: 'SUBMODULE_REFUSED' })
    expect(() => checkNesting(0, tree(1), count)).toThrow(refused)
    expect(() => checkNesting(5, tree(1), { submodules: 0 })).toThrow(refused)
  })

  it('need a description that git can read', async () => {
    for (const description of [
      undefined,
      '[submodule "lib"\n\tpath',
      '[submodule "lib"]\n\tpath = other\n\turl = ../a\n',
    ]) {
      const outer = testRepository()
      outer.git('update-index', '--add', '--cacheinfo', `160000,${'a'.repeat(40)},lib`)
      if (description !== undefined) {
        writeFileSync(join(outer.directory, '.gitmodules'), description)
        outer.git('add', '.gitmodules')
      }
      outer.git('commit', '--quiet', '--message', 'Outer')
      const source = gitSource({ git: outer.directory, submodules: true }, { directory: testDirectory() })
      const revision = await source.resolve('main', context)
      await expect(source.open(revision, context), description).rejects.toMatchObject({ code: 'SUBMODULE_REFUSED' })
    }
  })

  it('that include other files of this machine in their description do not', async () => {
    const [inner, outer] = [testRepository(), testRepository()]
    const commit = inner.commit('Inner', { 'inner.txt': 'i' })
    const included = join(testDirectory(), 'included')
    writeFileSync(included, `[submodule "lib"]\n\tpath = lib\n\turl = ${beside(inner)}\n`)
    outer.commit('Outer', { '.gitmodules': `[include]\n\tpath = ${included}\n` })
    outer.git('update-index', '--add', '--cacheinfo', `160000,${commit},lib`)
    outer.git('commit', '--quiet', '--message', 'With lib')
    const source = gitSource({ git: outer.directory, submodules: true }, { directory: testDirectory() })
    const revision = await source.resolve('main', context)
    await expect(source.open(revision, context)).rejects.toMatchObject({ code: 'SUBMODULE_REFUSED' })
  })
})

describe.skipIf(!existsSync(gitHttpBackend))('submodules over HTTP (needs git-http-backend)', () => {
  it('get the token at the repository’s own host, and only there', async () => {
    const [far, near, outer] = [testRepository(), testRepository(), testRepository()]
    const farCommit = far.commit('Far', { 'far.txt': 'f' })
    const nearCommit = near.commit('Near', { 'near.txt': 'n' })
    const root = dirname(outer.directory)
    await using second = await testGitServer({ root })
    await using first = await testGitServer({ root })
    // The second host leads back to the first: what is fetched for it gets no token either.
    const back = addSubmodule(far, { path: 'back', url: first.url + served(near), commit: nearCommit })
    expect(farCommit).not.toBe(back)
    outer.commit('Outer', { 'outer.txt': 'o' })
    addSubmodule(outer, { path: 'near', url: `../..${served(near)}`, commit: nearCommit })
    addSubmodule(outer, { path: 'far', url: second.url + served(far), commit: back })
    const directory = testDirectory()
    const definition = { git: first.url + served(outer), token: { secret: 'GIT_TOKEN' }, submodules: true }
    const source = gitSource(definition, { directory })
    const withToken = testContext({ secrets: { GIT_TOKEN: token } })
    const revision = await source.resolve('main', withToken)
    const before = first.requests.length
    await using tree = await source.open(revision, withToken)
    expect(existsSync(join(tree.directory, 'near/near.txt'))).toBe(true)
    expect(existsSync(join(tree.directory, 'far/back/near.txt'))).toBe(true)
    expect(second.requests.length).toBeGreaterThan(0)
    expect(second.requests.filter(({ authorization }) => authorization !== undefined)).toEqual([])
    const asked = first.requests.slice(before)
    const anonymous = asked.filter(({ authorization }) => authorization === undefined)
    expect(anonymous.length).toBeGreaterThan(0)
    expect(asked.length).toBeGreaterThan(anonymous.length)
    const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const basic = Buffer.from(`x-access-token:${token}`).toString('base64')
    for (const { parentPath, name } of files)
      expect(readFileSync(join(parentPath, name), 'latin1')).not.toMatch(new RegExp(`${token}|${basic}`))
  })

  it('are not followed through a redirect, and their failure repeats no token', async () => {
    const outer = testRepository()
    const root = dirname(outer.directory)
    await using second = await testGitServer()
    await using first = await testGitServer({
      root,
      before: (request, response) => {
        if (request.url?.startsWith('/lib.git') !== true) return false
        response.writeHead(302, { location: second.url + request.url }).end(request.headers.authorization)
        return true
      },
    })
    addSubmodule(outer, { path: 'lib', url: `${first.url}/lib.git`, commit: 'a'.repeat(40) })
    const directory = testDirectory()
    const definition = { git: first.url + served(outer), token: { secret: 'GIT_TOKEN' }, submodules: true }
    const withToken = testContext({ secrets: { GIT_TOKEN: token } })
    const source = gitSource(definition, { directory })
    const revision = await source.resolve('main', withToken)
    const error = await source.open(revision, withToken).catch((thrown: unknown) => KiwiError.from(thrown))
    expect(error).toMatchObject({ code: 'SOURCE_UNREACHABLE', hint: expect.stringContaining('another address') })
    const told = error instanceof KiwiError ? JSON.stringify(error.toRecord()) + error.stack : ''
    expect(told).not.toContain(token)
    expect(told).not.toContain(Buffer.from(`x-access-token:${token}`).toString('base64'))
    expect(second.requests).toEqual([])
    expect(readdirSync(join(directory, 'work'))).toEqual([])
  })
})

describe('a submodule’s address', () => {
  it.each([
    ['https://example.com/team/web.git', '../lib.git', 'https://example.com/team/lib.git'],
    ['https://example.com/team/web.git', './lib', 'https://example.com/team/web.git/lib'],
    ['https://example.com/team/web.git', '../../other/lib/', 'https://example.com/other/lib'],
    ['https://example.com/team/web.git', 'https://other.example.com/lib', 'https://other.example.com/lib'],
    ['https://example.com/team/web.git', 'git@example.com:team/lib.git', 'https://example.com/team/lib.git'],
    ['https://example.com/team/web.git', 'ssh://git@EXAMPLE.com/team/lib.git', 'https://example.com/team/lib.git'],
    ['https://example.com:8443/web.git', 'git@example.com:lib.git', 'https://example.com:8443/lib.git'],
    ['git@example.com:team/web.git', '../lib.git', 'git@example.com:team/lib.git'],
    ['git@example.com:team/web.git', '../../lib.git', 'git@example.com:lib.git'],
    ['git@example.com:/srv/web.git', '../lib.git', 'git@example.com:/srv/lib.git'],
    ['git@example.com:team/web.git', 'git@other.example.com:lib.git', 'git@other.example.com:lib.git'],
    ['ssh://git@example.com:2222/team/web.git', '../lib.git', 'ssh://git@example.com:2222/team/lib.git'],
    ['/srv/git/web.git', '../lib.git', '/srv/git/lib.git'],
    ['/srv/git/web.git', './lib.git', '/srv/git/web.git/lib.git'],
  ])('of %s given as %s is %s', (parent, text, url) => {
    expect(submoduleAddress(readRepositoryAddress(parent), 'lib', text).url).toBe(url)
  })
})
