import { afterAll, describe, expect, it, vi } from 'vitest'
import { testContext } from '../testing/context.js'
import { gitSource } from './git.js'
import { removeTestDirectories, testDirectory, testRepository } from './test-repository.js'

afterAll(removeTestDirectories)
// Each of these starts many processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 30_000 })

const context = testContext()

describe('the branches and tags of a git source', () => {
  it('are listed with the commit of an annotated tag, the default branch first', async () => {
    const repository = testRepository()
    const first = repository.commit('First thing')
    repository.git('tag', '--annotate', '--message', 'x', 'v1.0.0')
    repository.git('tag', 'light')
    repository.git('branch', 'feature/a-b')
    repository.git('branch', 'HEAD-of-all')
    const second = repository.commit('Second thing')
    const source = gitSource({ git: repository.directory }, { directory: testDirectory() })
    expect(await Array.fromAsync(source.refs(context))).toEqual([
      { name: 'main', kind: 'branch', commit: second, default: true },
      { name: 'HEAD-of-all', kind: 'branch', commit: first },
      { name: 'feature/a-b', kind: 'branch', commit: first },
      { name: 'light', kind: 'tag', commit: first },
      { name: 'v1.0.0', kind: 'tag', commit: first },
    ])
  })

  it('are none in a repository without commits, and an error where there is no repository', async () => {
    const source = gitSource({ git: testRepository().directory }, { directory: testDirectory() })
    expect(await Array.fromAsync(source.refs(context))).toEqual([])
    const nowhere = gitSource({ git: '/nonexistent/repository' }, { directory: testDirectory() })
    await expect(Array.fromAsync(nowhere.refs(context))).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  })

  it('leave out names that look like others', async () => {
    const repository = testRepository()
    const commit = repository.commit('First thing')
    repository.git('update-ref', 'refs/heads/main\u202egnp.exe', commit)
    repository.git('update-ref', 'refs/heads/größe-✓', commit)
    const source = gitSource({ git: repository.directory }, { directory: testDirectory() })
    expect((await Array.fromAsync(source.refs(context))).map(({ name }) => name)).toEqual(['main', 'größe-✓'])
  })
})

describe('what changed between two commits', () => {
  it('is every path that differs, both of a renamed file', async () => {
    const repository = testRepository()
    const from = repository.commit('First thing', {
      'kept.txt': 'k',
      'changed.txt': '1',
      'old name.txt': 'a long enough text to be found again',
      ' leading space': '1',
      'mode.sh': 'x',
    })
    repository.git('mv', 'old name.txt', 'new\tname\nü.txt')
    repository.git('update-index', '--chmod=+x', 'mode.sh')
    repository.commit('Between', { 'changed.txt': '2', 'between.txt': 'x' })
    repository.git('rm', '--quiet', 'between.txt')
    repository.git('update-index', '--chmod=+x', 'mode.sh')
    const to = repository.commit('Last thing', { 'deep/er/new.txt': 'n', ' leading space': '2' })
    const directory = testDirectory()
    const source = gitSource({ git: repository.directory }, { directory })
    const changed = [' leading space', 'changed.txt', 'deep/er/new.txt', 'new\tname\nü.txt', 'old name.txt']
    expect((await source.changed?.(from, to, context))?.sort()).toEqual(changed)
    expect((await source.changed?.(to, from, context))?.sort()).toEqual(changed)
    expect(await source.changed?.(to, to, context)).toEqual([])
  })

  it('is found without the repository when both commits have been fetched before', async () => {
    const repository = testRepository()
    const from = repository.commit('First thing', { 'a.txt': '1' })
    const to = repository.commit('Second thing', { 'a.txt': '2' })
    const source = gitSource({ git: repository.directory }, { directory: testDirectory() })
    await source.resolve(from, context)
    await source.resolve(to, context)
    repository.git('config', 'core.repositoryFormatVersion', '99')
    expect(await source.changed?.(from, to, context)).toEqual(['a.txt'])
    await expect(source.changed?.(from, 'f'.repeat(40), context)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  })

  it('needs two commits that exist', async () => {
    const repository = testRepository()
    const commit = repository.commit('First thing')
    const source = gitSource({ git: repository.directory }, { directory: testDirectory() })
    await expect(source.changed?.(commit, 'f'.repeat(40), context)).rejects.toMatchObject({ code: 'REF_NOT_FOUND' })
    await expect(source.changed?.('main', commit, context)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })
})
