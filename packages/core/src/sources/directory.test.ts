import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import type { Source } from '../contracts/v1/source.js'
import { testContext } from '../testing/context.js'
import { directorySource } from './directory.js'
import { createSource } from './source.js'
import { removeTestDirectories, testDirectory, testRepository } from './test-repository.js'

afterAll(removeTestDirectories)
// Each of these starts many processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 30_000 })
afterEach(() => vi.unstubAllEnvs())

const context = testContext()

function sourceOf(directory: string, state = testDirectory()): Source {
  return directorySource({ directory }, { directory: state })
}

async function filesOf(source: Source): Promise<string[]> {
  await using tree = await source.open(await source.resolve('HEAD', context), context)
  return readdirSync(tree.directory, { recursive: true, encoding: 'utf8' }).sort()
}

describe('a directory that is a git work tree', () => {
  it('is HEAD while nothing is changed', async () => {
    const repository = testRepository()
    const commit = repository.commit('First thing', { 'a.txt': 'one', 'run.sh': '#!/bin/sh\n' })
    repository.git('tag', 'v1')
    const revision = await sourceOf(repository.directory).resolve('HEAD', context)
    expect(revision).toEqual({
      commit,
      ref: 'HEAD',
      branch: 'main',
      subject: 'First thing',
      committedAtSeconds: Date.UTC(2026, 0, 2, 3, 4, 5) / 1000,
      dirty: false,
      contentDigest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    })
  })

  it('is dirty with a changed, new, deleted or executable file or a link in its place, on the commit it was', async () => {
    const repository = testRepository()
    const names = ['changed', 'deleted', 'executable', 'linked']
    const commit = repository.commit('First thing', Object.fromEntries(names.map((name) => [name, 'one'])))
    const at = (name: string) => join(repository.directory, name)
    const source = sourceOf(repository.directory)
    const digests = new Set([(await source.resolve('main', context)).contentDigest])
    for (const change of [
      () => writeFileSync(at('changed'), 'two'),
      () => writeFileSync(at('new'), ''),
      () => rmSync(at('deleted')),
      () => chmodSync(at('executable'), 0o755),
      () => execFileSync('ln', ['-sf', 'changed', at('linked')]),
    ]) {
      repository.git('reset', '--quiet', '--hard')
      repository.git('clean', '--quiet', '--force')
      change()
      const revision = await source.resolve('main', context)
      expect(revision).toMatchObject({ commit, dirty: true, branch: 'main' })
      digests.add(revision.contentDigest)
    }
    expect(digests.size).toBe(6)
  })

  it('is clean with links, odd names, other line ends and large files that are there', async () => {
    const repository = testRepository()
    repository.commit('First thing', { ' a\tb\n"c" ü.txt': 'one', '.gitattributes': '*.bat text eol=crlf\n' })
    writeFileSync(join(repository.directory, 'x.bat'), 'a\r\nb\r\n')
    symlinkSync('/nowhere', join(repository.directory, 'link'))
    const large = 'not a pointer any more'
    const oid = execFileSync('sha256sum', { input: large, encoding: 'utf8' }).slice(0, 64)
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${large.length}\n`
    repository.commit('Large', { 'large.bin': pointer })
    writeFileSync(join(repository.directory, 'large.bin'), large)
    expect(await sourceOf(repository.directory).resolve('HEAD', context)).toMatchObject({ dirty: false })
  })

  it('leaves out what git ignores and git’s own folder, and takes the rest', async () => {
    const repository = testRepository()
    repository.commit('First thing', { '.gitignore': 'node_modules\n*.log\n', 'a.txt': 'one', 'src/b.txt': 'b' })
    mkdirSync(join(repository.directory, 'node_modules/x'), { recursive: true })
    writeFileSync(join(repository.directory, 'node_modules/x/index.js'), '')
    writeFileSync(join(repository.directory, 'debug.log'), '')
    writeFileSync(join(repository.directory, 'new.txt'), '')
    const source = sourceOf(repository.directory)
    expect(await filesOf(source)).toEqual(['.gitignore', 'a.txt', 'new.txt', 'src', 'src/b.txt'])
  })

  it('hands out what was there when it was resolved, whatever changes afterwards', async () => {
    const repository = testRepository()
    repository.commit('First thing', { 'a.txt': 'one' })
    const state = testDirectory()
    const revision = await sourceOf(repository.directory, state).resolve('HEAD', context)
    writeFileSync(join(repository.directory, 'a.txt'), 'two')
    const tree = await sourceOf(repository.directory, state).open(revision, context)
    writeFileSync(join(tree.directory, 'a.txt'), 'changed by a build')
    await using second = await sourceOf(repository.directory, state).open(revision, context)
    expect(readFileSync(join(second.directory, 'a.txt'), 'utf8')).toBe('one')
    await tree[Symbol.asyncDispose]()
    expect(existsSync(tree.directory)).toBe(false)
    expect(readdirSync(join(state, 'work'))).toHaveLength(1)
  })

  it('says that it has changed when the state asked for is kept no longer', async () => {
    const repository = testRepository()
    repository.commit('First thing', { 'a.txt': 'one' })
    const revision = await sourceOf(repository.directory).resolve('HEAD', context)
    await using same = await sourceOf(repository.directory).open(revision, context)
    expect(readdirSync(same.directory)).toEqual(['a.txt'])
    writeFileSync(join(repository.directory, 'a.txt'), 'two')
    await expect(sourceOf(repository.directory).open(revision, context)).rejects.toMatchObject({
      code: 'REF_NOT_FOUND',
      message: expect.stringContaining('changed since'),
    })
    const { commit, ref } = revision
    await expect(sourceOf(repository.directory).open({ commit, ref }, context)).rejects.toMatchObject({
      code: 'REF_NOT_FOUND',
    })
  })

  it('keeps the last four states only', async () => {
    const repository = testRepository()
    repository.commit('First thing')
    const state = testDirectory()
    for (let i = 0; i < 5; i++) {
      writeFileSync(join(repository.directory, 'a.txt'), `${i}`)
      await sourceOf(repository.directory, state).resolve('HEAD', context)
    }
    const [folder = ''] = readdirSync(join(state, 'snapshots'))
    expect(readdirSync(join(state, 'snapshots', folder))).toHaveLength(4)
    expect(readdirSync(join(state, 'work'))).toEqual([])
  })

  it('knows the present state by its branch, its tags and its commit, and nothing else', async () => {
    const repository = testRepository()
    const first = repository.commit('First thing')
    repository.git('tag', 'old')
    const commit = repository.commit('Second thing')
    repository.git('tag', '--annotate', '--message', 'x', 'v2')
    repository.git('branch', 'other')
    const source = sourceOf(repository.directory)
    expect(await source.resolve('refs/heads/main', context)).toMatchObject({ commit, branch: 'main' })
    expect(await source.resolve('v2', context)).toMatchObject({ commit, tag: 'v2' })
    expect(await source.resolve(commit.slice(0, 8).toUpperCase(), context)).toMatchObject({ commit })
    for (const ref of ['other', 'old', first])
      await expect(source.resolve(ref, context), ref).rejects.toMatchObject({
        code: 'REF_NOT_FOUND',
        message: expect.stringContaining('is at main'),
        evidence: { branches: ['main'], tags: ['v2'] },
      })
    const refs = await Array.fromAsync(source.refs(context))
    expect(refs).toEqual([
      { name: 'main', kind: 'branch', commit, default: true },
      { name: 'v2', kind: 'tag', commit },
    ])
    repository.git('checkout', '--quiet', '--detach', first)
    expect(await source.resolve('HEAD', context)).not.toHaveProperty('branch')
    expect((await Array.fromAsync(source.refs(context)))[0]).toMatchObject({ name: 'HEAD', commit: first })
  })

  it('takes a folder in it for itself, and a folder that git knows nothing of as it is', async () => {
    const repository = testRepository()
    const commit = repository.commit('First thing', { '.gitignore': 'loose\n', 'web/a.txt': 'one', 'api/b.txt': 'b' })
    mkdirSync(join(repository.directory, 'loose'))
    writeFileSync(join(repository.directory, 'loose/c.txt'), 'c')
    writeFileSync(join(repository.directory, 'api/b.txt'), 'changed')
    const web = sourceOf(join(repository.directory, 'web'))
    expect(await web.resolve('HEAD', context)).toMatchObject({ commit, dirty: false })
    expect(await filesOf(web)).toEqual(['a.txt'])
    expect(await filesOf(sourceOf(join(repository.directory, 'loose')))).toEqual(['c.txt'])
  })

  it('has its submodules’ files, and is dirty when one is changed or at another commit', async () => {
    const inner = testRepository()
    inner.commit('Inner', { 'inner.txt': 'i' })
    const repository = testRepository()
    repository.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', inner.directory, 'lib')
    const commit = repository.commit('With a submodule', { 'a.txt': 'one' })
    const source = sourceOf(repository.directory)
    expect(await source.resolve('HEAD', context)).toMatchObject({ commit, dirty: false })
    expect(await filesOf(source)).toEqual(['.gitmodules', 'a.txt', 'lib', 'lib/inner.txt'])
    writeFileSync(join(repository.directory, 'lib/inner.txt'), 'changed')
    expect(await source.resolve('HEAD', context)).toMatchObject({ commit, dirty: true })
    const git = (...args: string[]) => execFileSync('git', ['-C', join(repository.directory, 'lib'), ...args])
    git('-c', 'user.name=A', '-c', 'user.email=a@example.com', 'commit', '--quiet', '--all', '--message', 'x')
    expect(await source.resolve('HEAD', context)).toMatchObject({ commit, dirty: true })
  })

  it('has a commit of its content before the first commit, and obeys .gitignore already', async () => {
    const repository = testRepository()
    writeFileSync(join(repository.directory, '.gitignore'), 'b.txt\n')
    writeFileSync(join(repository.directory, 'a.txt'), 'one')
    writeFileSync(join(repository.directory, 'b.txt'), 'b')
    const source = sourceOf(repository.directory)
    expect(await source.resolve('main', context)).toMatchObject({ branch: 'main', dirty: true })
    expect(await filesOf(source)).toEqual(['.gitignore', 'a.txt'])
  })

  it('runs nothing that the repository’s own configuration names, and reaches no one', async () => {
    const repository = testRepository()
    const marker = join(testDirectory(), 'ran')
    const commit = repository.commit('First thing', {
      'a.txt': 'one',
      '.gitattributes': '*.txt filter=evil diff=evil\n',
    })
    const settings = ['core.fsmonitor', 'filter.evil.clean', 'filter.evil.smudge', 'filter.evil.process', 'core.pager']
    settings.push('gpg.program', 'diff.evil.textconv', 'core.sshCommand', 'core.editor', 'credential.helper')
    for (const name of settings) repository.git('config', name, `touch ${marker};`)
    for (const name of ['post-index-change', 'post-checkout', 'fsmonitor-watchman'])
      writeFileSync(join(repository.directory, '.git/hooks', name), `#!/bin/sh\ntouch ${marker}\n`, { mode: 0o755 })
    repository.git('config', 'log.showSignature', 'true')
    repository.git('config', 'remote.origin.url', repository.directory)
    repository.git('config', 'remote.origin.uploadpack', `touch ${marker};`)
    repository.git('config', 'extensions.partialClone', 'origin')
    repository.git('config', 'remote.origin.promisor', 'true')
    rmSync(marker, { force: true })
    writeFileSync(join(repository.directory, 'a.txt'), 'eno')
    const source = sourceOf(repository.directory)
    expect(await source.resolve('HEAD', context)).toMatchObject({ commit, dirty: true })
    const tree = repository.git('rev-parse', 'HEAD^{tree}')
    rmSync(join(repository.directory, '.git/objects', tree.slice(0, 2), tree.slice(2)))
    await expect(source.resolve('HEAD', context)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
    expect(existsSync(marker)).toBe(false)
  })

  it('does not follow a tracked folder that became a link elsewhere', async () => {
    const repository = testRepository()
    const secret = testDirectory()
    writeFileSync(join(secret, 'key.txt'), 'private')
    repository.commit('First thing', { 'a/key.txt': 'public', 'b.txt': 'b' })
    rmSync(join(repository.directory, 'a'), { recursive: true })
    symlinkSync(secret, join(repository.directory, 'a'))
    const source = sourceOf(repository.directory)
    await using tree = await source.open(await source.resolve('HEAD', context), context)
    expect(readdirSync(tree.directory).sort()).toEqual(['a', 'b.txt'])
    expect(readlinkSync(join(tree.directory, 'a'))).toBe(secret)
  })

  it('refuses a work tree that its configuration puts elsewhere', async () => {
    const repository = testRepository()
    repository.commit('First thing')
    repository.git('config', 'core.worktree', '/etc')
    await expect(sourceOf(repository.directory).resolve('HEAD', context)).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
    })
  })
})

describe('a directory without git', () => {
  it('has a commit made of its content, the same for the same files', async () => {
    const [one, two] = [testDirectory(), testDirectory()]
    for (const directory of [one, two]) {
      mkdirSync(join(directory, 'empty'))
      writeFileSync(join(directory, 'a.txt'), 'one')
      symlinkSync('a.txt', join(directory, 'link'))
    }
    const revision = await sourceOf(one).resolve('HEAD', context)
    expect(revision).toMatchObject({ commit: expect.stringMatching(/^[0-9a-f]{40}$/), ref: 'HEAD', dirty: true })
    expect(revision.contentDigest).toBe(`sha256:${revision.commit}${revision.contentDigest?.slice(47)}`)
    expect(await sourceOf(two).resolve(revision.commit, context)).toMatchObject({ commit: revision.commit })
    writeFileSync(join(two, 'a.txt'), 'two')
    await expect(sourceOf(two).resolve(revision.commit, context)).rejects.toMatchObject({ code: 'REF_NOT_FOUND' })
    await expect(sourceOf(one).resolve('main', context)).rejects.toMatchObject({ code: 'REF_NOT_FOUND' })
    expect(await Array.fromAsync(sourceOf(one).refs(context))).toEqual([
      { name: 'HEAD', kind: 'branch', commit: revision.commit, default: true },
    ])
  })

  it('is copied with links, modes and empty folders, without pipes and without git’s folders', async () => {
    const directory = testDirectory()
    mkdirSync(join(directory, 'empty'))
    mkdirSync(join(directory, 'deep/.git'), { recursive: true })
    writeFileSync(join(directory, 'deep/.git/config'), '')
    writeFileSync(join(directory, 'run.sh'), '', { mode: 0o755 })
    symlinkSync('/etc/passwd', join(directory, 'link'))
    execFileSync('mkfifo', [join(directory, 'pipe')])
    const source = sourceOf(directory)
    await using tree = await source.open(await source.resolve('HEAD', context), context)
    expect(readdirSync(tree.directory, { recursive: true }).sort()).toEqual(['deep', 'empty', 'link', 'run.sh'])
    expect(lstatSync(join(tree.directory, 'run.sh')).mode & 0o111).not.toBe(0)
    expect(readlinkSync(join(tree.directory, 'link'))).toBe('/etc/passwd')
  })

  it('leaves Kiwi’s own state out, and refuses to lie in it', async () => {
    const directory = testDirectory()
    writeFileSync(join(directory, 'a.txt'), 'one')
    mkdirSync(join(directory, '.kiwi'))
    writeFileSync(join(directory, '.kiwi/kiwi.db'), 'rows')
    const state = { directory: join(directory, '.kiwi/sources'), exclude: [join(directory, '.kiwi')] }
    const source = createSource({ directory }, state)
    const revision = await source.resolve('HEAD', context)
    expect((await source.resolve('HEAD', context)).contentDigest).toBe(revision.contentDigest)
    await using tree = await source.open(revision, context)
    expect(readdirSync(tree.directory)).toEqual(['a.txt'])
    await expect(
      createSource({ directory: join(directory, '.kiwi') }, state).resolve('HEAD', context),
    ).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })

  it('says what is wrong with a directory that cannot be read', async () => {
    const directory = testDirectory()
    writeFileSync(join(directory, 'file'), '')
    for (const path of [join(directory, 'missing'), join(directory, 'file')]) {
      await expect(sourceOf(path).resolve('HEAD', context)).rejects.toMatchObject({
        code: 'SOURCE_UNREACHABLE',
        effect: 'none',
        retryable: false,
      })
      expect(await sourceOf(path).probe(context)).toMatchObject({ ok: false })
    }
    expect(await sourceOf(directory).probe(context)).toMatchObject({ ok: true })
  })

  it('is refused when it is larger than allowed, before anything is copied', async () => {
    const directory = testDirectory()
    for (const name of ['a', 'b', 'c']) writeFileSync(join(directory, name), 'x'.repeat(100))
    const state = testDirectory()
    for (const limits of [{ maxFiles: 2 }, { maxBytes: 299 }])
      await expect(
        directorySource({ directory }, { directory: state, ...limits }).resolve('HEAD', context),
      ).rejects.toMatchObject({ code: 'SOURCE_TOO_LARGE', evidence: { limit: Object.keys(limits)[0] } })
    expect(readdirSync(join(state, 'work'))).toEqual([])
    await directorySource({ directory }, { directory: state, maxFiles: 3, maxBytes: 300 }).resolve('HEAD', context)
  })

  it('does nothing once its signal has fired', async () => {
    const state = testDirectory()
    const stopped = testContext({ signal: AbortSignal.abort() })
    await expect(sourceOf(testDirectory(), state).resolve('HEAD', stopped)).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(readdirSync(state)).toEqual([])
  })
})
