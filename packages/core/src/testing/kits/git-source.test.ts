import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import { gitSource } from '../../sources/git.js'
import { removeTestDirectories, testDirectory, testRepository } from '../../sources/test-repository.js'
import { type KitCommit, sourceKit } from './source.js'

afterAll(removeTestDirectories)

describe('the Git source', () => {
  let made: ReturnType<typeof make> | undefined
  const source = (history: readonly KitCommit[]) => {
    made ??= make(history)
    return made
  }
  for (const one of sourceKit({ source })) it(one.name, one.run)
})

async function make(history: readonly KitCommit[]) {
  const { directory, git } = testRepository()
  const branches = new Set(['main'])
  const commits = history.map(({ branch, files, subject, tag }, index) => {
    if (index > 0) git('checkout', '--quiet', ...(branches.has(branch) ? [] : ['-b']), branch)
    if (index > 0) git('rm', '-r', '--quiet', '.')
    branches.add(branch)
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true })
      writeFileSync(join(directory, path), text)
    }
    git('add', '--all')
    git('commit', '--quiet', '--message', subject)
    if (tag !== undefined) git('tag', tag)
    return git('rev-parse', 'HEAD')
  })
  git('checkout', '--quiet', 'main')
  return { source: gitSource({ git: directory }, { directory: testDirectory() }), commits }
}
