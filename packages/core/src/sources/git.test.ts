import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { testContext } from '../testing/context.js'
import { gitSource } from './git.js'
import { removeTestDirectories, testDirectory, testRepository } from './test-repository.js'

afterAll(removeTestDirectories)
// Each of these starts many processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 30_000 })
afterEach(() => vi.unstubAllEnvs())

const context = testContext()

function packsOwn(directory: string): number {
  const pack = join(directory, 'objects/pack')
  const files = readdirSync(pack).map((name) => statSync(join(pack, name)))
  return files.filter(({ nlink }) => nlink === 1).reduce((sum, { size }) => sum + size, 0)
}

function cacheOf(directory: string): string {
  const [repository = ''] = readdirSync(join(directory, 'cache'))
  return join(directory, 'cache', repository)
}

describe('a git source', () => {
  it('resolves branches, tags, HEAD and commits, short ones too, with time and subject', async () => {
    const repository = testRepository()
    const first = repository.commit('First thing', { 'a.txt': 'one' })
    repository.git('tag', 'light')
    repository.git('tag', '--annotate', '--message', 'x', 'v1.0.0')
    repository.git('branch', 'feature/a-b')
    const second = repository.commit('Second thing\n\nwith a body', { 'a.txt': 'two' })
    const source = gitSource({ git: repository.directory }, { directory: testDirectory() })
    const known = { committedAtSeconds: Date.UTC(2026, 0, 2, 3, 4, 5) / 1000 }
    const one = { ...known, commit: first, subject: 'First thing' }
    const two = { ...known, commit: second, subject: 'Second thing' }
    expect(await source.resolve('main', context)).toEqual({ ...two, ref: 'main', branch: 'main' })
    expect(await source.resolve('HEAD', context)).toEqual({ ...two, ref: 'HEAD', branch: 'main' })
    expect(await source.resolve('refs/heads/feature/a-b', context)).toEqual({
      ...one,
      ref: 'refs/heads/feature/a-b',
      branch: 'feature/a-b',
    })
    expect(await source.resolve('v1.0.0', context)).toEqual({ ...one, ref: 'v1.0.0', tag: 'v1.0.0' })
    expect(await source.resolve('light', context)).toEqual({ ...one, ref: 'light', tag: 'light' })
    expect(await source.resolve(first, context)).toEqual({ ...one, ref: first })
    expect(await source.resolve(second.slice(0, 8), context)).toEqual({ ...two, ref: second.slice(0, 8) })
  })

  it('finds a short SHA that no branch or tag ends in', async () => {
    const repository = testRepository()
    repository.commit('First thing')
    const middle = repository.commit('Middle thing', { 'a.txt': 'm' })
    repository.commit('Last thing')
    const source = gitSource({ git: repository.directory }, { directory: testDirectory() })
    expect(await source.resolve(middle.slice(0, 7), context)).toMatchObject({ commit: middle, subject: 'Middle thing' })
  })

  it('reads repositories whose commits have 64 digits', async () => {
    const repository = testRepository({ hash: 'sha256' })
    const first = repository.commit('First thing', { 'a.txt': 'one' })
    const second = repository.commit('Second thing', { 'a.txt': 'two' })
    const source = gitSource({ git: repository.directory }, { directory: testDirectory() })
    expect(await source.resolve('main', context)).toMatchObject({ commit: second })
    expect(await source.resolve(first.slice(0, 9), context)).toMatchObject({ commit: first })
    await using tree = await source.open({ commit: first, ref: 'main' }, context)
    expect(readFileSync(join(tree.directory, 'a.txt'), 'utf8')).toBe('one')
  })

  it('takes the branch when a tag has the same name', async () => {
    const repository = testRepository()
    repository.commit('Tagged')
    repository.git('tag', 'release')
    const commit = repository.commit('On the branch')
    repository.git('branch', 'release')
    const source = gitSource({ git: repository.directory }, { directory: testDirectory() })
    expect(await source.resolve('release', context)).toMatchObject({ commit, branch: 'release' })
  })

  it('names close branches and tags when there is no such ref', async () => {
    const repository = testRepository()
    repository.commit('First thing')
    repository.git('branch', 'feature/login')
    repository.git('branch', 'unrelated')
    repository.git('tag', 'v1.2.3')
    const source = gitSource({ git: repository.directory }, { directory: testDirectory() })
    await expect(source.resolve('mian', context)).rejects.toMatchObject({
      code: 'REF_NOT_FOUND',
      effect: 'none',
      hint: 'Did you mean main?',
      evidence: { ref: 'mian', branches: ['main'], tags: [] },
    })
    await expect(source.resolve('login', context)).rejects.toMatchObject({ evidence: { branches: ['feature/login'] } })
    await expect(source.resolve('1.2.3', context)).rejects.toMatchObject({ evidence: { tags: ['v1.2.3'] } })
    await expect(source.resolve('MAIN', context)).rejects.toMatchObject({ evidence: { branches: ['main'] } })
    await expect(source.resolve('f'.repeat(40), context)).rejects.toMatchObject({ code: 'REF_NOT_FOUND' })
    await expect(source.resolve('deadbeef', context)).rejects.toMatchObject({ code: 'REF_NOT_FOUND' })
  })

  it('says REF_NOT_FOUND of a SHA that is not a commit', async () => {
    const repository = testRepository()
    repository.commit('First thing', { 'a.txt': 'one' })
    const source = gitSource({ git: repository.directory }, { directory: testDirectory() })
    for (const object of ['HEAD^{tree}', 'HEAD:a.txt'])
      await expect(source.resolve(repository.git('rev-parse', object), context)).rejects.toMatchObject({
        code: 'REF_NOT_FOUND',
      })
  })

  it('hands out the files of exactly that commit and nothing else, and removes them on dispose', async () => {
    const repository = testRepository()
    const commit = repository.commit('First thing', { 'a.txt': 'one', 'deep/er/b.txt': 'b', 'run.sh': '#!/bin/sh\n' })
    repository.commit('Second thing', { 'a.txt': 'two', 'c.txt': 'c' })
    const directory = testDirectory()
    const source = gitSource({ git: repository.directory }, { directory })
    const tree = await source.open({ commit, ref: 'main' }, context)
    expect(readdirSync(tree.directory, { recursive: true }).sort()).toEqual([
      'a.txt',
      'deep',
      'deep/er',
      'deep/er/b.txt',
      'run.sh',
    ])
    expect(readFileSync(join(tree.directory, 'a.txt'), 'utf8')).toBe('one')
    await tree[Symbol.asyncDispose]()
    expect(readdirSync(join(directory, 'work'))).toEqual([])
  })

  it('leaves submodules empty, and runs neither hooks nor filters', async () => {
    const repository = testRepository()
    const marker = join(testDirectory(), 'ran')
    repository.commit('First thing', {
      '.gitattributes': '*.bin filter=lfs\n',
      'large.bin': 'version https://git-lfs\n',
    })
    repository.git('update-index', '--add', '--cacheinfo', `160000,${repository.git('rev-parse', 'HEAD')},module`)
    writeFileSync(join(repository.directory, '.git/hooks/post-checkout'), `#!/bin/sh\ntouch ${marker}\n`, {
      mode: 0o755,
    })
    repository.git('commit', '--quiet', '--message', 'With a submodule')
    const home = testDirectory()
    writeFileSync(
      join(home, '.gitconfig'),
      `[filter "lfs"]\n smudge = touch ${marker}; cat\n[core]\n hooksPath = ${repository.directory}/.git/hooks\n`,
    )
    vi.stubEnv('HOME', home)
    const source = gitSource({ git: repository.directory }, { directory: testDirectory() })
    await using tree = await source.open(await source.resolve('main', context), context)
    expect(readdirSync(join(tree.directory, 'module'))).toEqual([])
    expect(readFileSync(join(tree.directory, 'large.bin'), 'utf8')).toBe('version https://git-lfs\n')
    expect(existsSync(marker)).toBe(false)
  })

  it('opens a commit it has had before without the repository', async () => {
    const repository = testRepository()
    repository.commit('First thing', { 'a.txt': 'one' })
    const directory = testDirectory()
    const revision = await gitSource({ git: repository.directory }, { directory }).resolve('main', context)
    repository.git('config', 'core.repositoryFormatVersion', '99')
    const source = gitSource({ git: repository.directory }, { directory })
    await expect(source.resolve('main', context)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
    expect(await source.resolve(revision.commit, context)).toMatchObject({
      commit: revision.commit,
      subject: 'First thing',
    })
    await using tree = await source.open(revision, context)
    expect(readdirSync(tree.directory)).toEqual(['a.txt'])
  })

  it('keeps what services with different tokens fetched apart', async () => {
    const repository = testRepository()
    repository.commit('First thing')
    const directory = testDirectory()
    await gitSource({ git: repository.directory }, { directory }).resolve('main', context)
    await gitSource({ git: `${repository.directory}/` }, { directory }).resolve('main', context)
    expect(readdirSync(join(directory, 'cache'))).toHaveLength(2)
  })

  it('fetches of a further commit only what is new, and keeps the last eight', async () => {
    const repository = testRepository()
    repository.commit('Large', { 'large.bin': randomBytes(2_000_000) })
    const directory = testDirectory()
    const source = gitSource({ git: repository.directory }, { directory })
    const large = await source.resolve('main', context)
    expect(packsOwn(join(cacheOf(directory), large.commit))).toBeGreaterThan(2_000_000)
    for (let i = 0; i < 9; i++) {
      repository.commit(`Change ${i}`, { 'small.txt': `${i}` })
      const { commit } = await source.resolve('main', context)
      expect(packsOwn(join(cacheOf(directory), commit))).toBeLessThan(20_000)
      await using tree = await source.open({ commit, ref: 'main' }, context)
      expect(readFileSync(join(tree.directory, 'small.txt'), 'utf8')).toBe(`${i}`)
      expect(statSync(join(tree.directory, 'large.bin')).size).toBe(2_000_000)
    }
    expect(readdirSync(cacheOf(directory))).toHaveLength(8)
    expect(readdirSync(cacheOf(directory))).not.toContain(large.commit)
  })

  it('gives each of many that open the same commit at once a whole tree', async () => {
    const repository = testRepository()
    const commit = repository.commit('First thing', { 'a.txt': 'one', 'b.txt': 'two' })
    const directory = testDirectory()
    const trees = await Promise.all(
      Array.from({ length: 6 }, () =>
        gitSource({ git: repository.directory }, { directory }).open({ commit, ref: 'main' }, context),
      ),
    )
    expect(new Set(trees.map((tree) => tree.directory)).size).toBe(6)
    for (const tree of trees) {
      expect(readdirSync(tree.directory).sort()).toEqual(['a.txt', 'b.txt'])
      await tree[Symbol.asyncDispose]()
    }
    expect(readdirSync(cacheOf(directory))).toEqual([commit])
  })

  it.skipIf(process.getuid?.() !== 0)(
    'reads a local repository that belongs to someone else (needs root to make one)',
    async () => {
      const repository = testRepository()
      repository.commit('First thing')
      for (const name of ['', ...readdirSync(repository.directory, { recursive: true, encoding: 'utf8' })])
        chownSync(join(repository.directory, name), 65534, 65534)
      const source = gitSource({ git: repository.directory }, { directory: testDirectory() })
      expect(await source.resolve('main', context)).toMatchObject({ subject: 'First thing' })
    },
  )

  it('says in git’s own words why a repository cannot be read', async () => {
    const source = gitSource({ git: '/nonexistent/repository' }, { directory: testDirectory() })
    await expect(source.resolve('main', context)).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      retryable: false,
      evidence: { git: expect.stringContaining("'/nonexistent/repository' does not appear to be a git repository") },
    })
    expect(await source.probe(context)).toMatchObject({ ok: false, details: { code: 'SOURCE_UNREACHABLE' } })
  })

  it('says whether the repository answers', async () => {
    const repository = testRepository()
    repository.commit('First thing')
    const probe = await gitSource({ git: repository.directory }, { directory: testDirectory() }).probe(context)
    expect(probe).toMatchObject({ ok: true, details: { branch: 'main', git: expect.stringMatching(/^\d+\./) } })
  })

  it('says TOOL_MISSING where git is not installed', async () => {
    vi.stubEnv('PATH', testDirectory())
    const source = gitSource({ git: '/some/repository' }, { directory: testDirectory() })
    await expect(source.resolve('main', context)).rejects.toMatchObject({ code: 'TOOL_MISSING' })
  })

  it('starts nothing for a hostile ref or commit', async () => {
    const bin = testDirectory()
    const marker = join(bin, 'started')
    writeFileSync(join(bin, 'git'), `#!/bin/sh\necho "$@" >> ${marker}\nexit 1\n`)
    chmodSync(join(bin, 'git'), 0o755)
    vi.stubEnv('PATH', `${bin}:/bin:/usr/bin`)
    const source = gitSource({ git: '/some/repository' }, { directory: testDirectory() })
    const hostile = [
      '--upload-pack=touch /tmp/x',
      '-c',
      '',
      'a..b',
      'main@{1}',
      '@',
      'ext::sh -c id',
      'a b',
      'a\nb',
      'a\0b',
      'a\u2028b',
    ]
    hostile.push(
      'main^{}',
      'main~1',
      'a:b',
      'a?b',
      'a*b',
      'a[b',
      'a\\b',
      '/a',
      'a/',
      'a//b',
      'a/.b',
      'a.lock',
      'a.',
      'x'.repeat(251),
    )
    for (const ref of hostile)
      await expect(source.resolve(ref, context), ref).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    for (const commit of ['HEAD', '--help', 'abc123', `${'a'.repeat(40)}\n`])
      await expect(source.open({ commit, ref: 'main' }, context)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    expect(existsSync(marker)).toBe(false)
    await expect(source.resolve('main', context)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
    expect(readFileSync(marker, 'utf8')).toContain('ls-remote')
  })

  it('is not led astray by variables of the program around it', async () => {
    const repository = testRepository()
    repository.commit('First thing')
    const marker = join(testDirectory(), 'ran')
    mkdirSync(`${marker}.d`)
    for (const name of ['GIT_SSH_COMMAND', 'GIT_ASKPASS', 'GIT_EXTERNAL_DIFF', 'EDITOR', 'PAGER'])
      vi.stubEnv(name, `touch ${marker}`)
    vi.stubEnv('GIT_DIR', `${marker}.d`)
    vi.stubEnv('GIT_EXEC_PATH', `${marker}.d`)
    const source = gitSource({ git: repository.directory }, { directory: testDirectory() })
    await using tree = await source.open(await source.resolve('main', context), context)
    expect(readdirSync(tree.directory)).toEqual([])
    expect(existsSync(marker)).toBe(false)
  })

  it('does nothing once its signal has fired', async () => {
    const directory = testDirectory()
    const source = gitSource({ git: '/some/repository' }, { directory })
    const stopped = testContext({ signal: AbortSignal.abort() })
    await expect(source.resolve('main', stopped)).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(readdirSync(directory)).toEqual([])
  })
})
