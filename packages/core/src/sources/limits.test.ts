import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { testContext } from '../testing/context.js'
import { gitSource } from './git.js'
import { readLimits } from './limits.js'
import { gitHttpBackend, testGitServer } from './test-git-server.js'
import { removeTestDirectories, testDirectory, testRepository } from './test-repository.js'

afterAll(removeTestDirectories)
// Each of these starts many processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 30_000 })
afterEach(() => vi.unstubAllEnvs())

const context = testContext()

/** Processes that run in a folder, or belong to it by their environment. */
function processesOf(directory: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((id) => {
      try {
        if (readlinkSync(`/proc/${id}/cwd`).startsWith(directory)) return true
        return readFileSync(`/proc/${id}/environ`, 'latin1').includes(`${directory}/`)
      } catch {
        return false // ended meanwhile
      }
    })
}

describe('the limits of a source', () => {
  it.each([{ timeoutMs: 0 }, { maxBytes: -1 }, { maxFiles: 1.5 }, { timeoutMs: Number.NaN }])(
    '%j is refused',
    (limits) => {
      expect(() => readLimits(limits)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
    },
  )

  it('refuse a tree with too many files or bytes before a file is written', async () => {
    const repository = testRepository()
    repository.commit('First thing', { a: 'x'.repeat(1000), b: 'x'.repeat(1000), c: '' })
    const directory = testDirectory()
    for (const limits of [{ maxFiles: 2 }, { maxBytes: 1999 }]) {
      const source = gitSource({ git: repository.directory }, { directory, ...limits })
      const revision = await source.resolve('main', context)
      await expect(source.open(revision, context)).rejects.toMatchObject({
        code: 'SOURCE_TOO_LARGE',
        effect: 'none',
        evidence: { limit: Object.keys(limits)[0], allowed: Object.values(limits)[0] },
      })
    }
    expect(readdirSync(join(directory, 'work'))).toEqual([])
  })

  it('stop a tree of a few kilobytes that names a billion files', async () => {
    const repository = testRepository()
    repository.commit('Base', { file: 'boom' })
    let kind = 'blob'
    let object = repository.git('rev-parse', 'HEAD:file')
    for (let level = 0; level < 9; level++) {
      const mode = kind === 'blob' ? '100644' : '40000'
      const entries = Array.from({ length: 10 }, (_, i) =>
        Buffer.concat([Buffer.from(`${mode} f${i}\0`), Buffer.from(object, 'hex')]),
      )
      writeFileSync(join(repository.directory, 'tree'), Buffer.concat(entries))
      object = repository.git('hash-object', '-t', 'tree', '-w', 'tree')
      kind = 'tree'
    }
    const commit = repository.git('commit-tree', '-m', 'Bomb', object)
    repository.git('update-ref', 'refs/heads/main', commit)
    const directory = testDirectory()
    const source = gitSource({ git: repository.directory }, { directory, maxFiles: 10_000 })
    await expect(source.open({ commit, ref: 'main' }, context)).rejects.toMatchObject({ code: 'SOURCE_TOO_LARGE' })
    expect(readdirSync(join(directory, 'work'))).toEqual([])
  })

  it('refuse a fetch that brings too much, and keep nothing of it', async () => {
    const repository = testRepository()
    repository.commit('Large', { 'large.bin': randomBytes(300_000) })
    const directory = testDirectory()
    const source = gitSource({ git: repository.directory }, { directory, maxBytes: 200_000 })
    await expect(source.resolve('main', context)).rejects.toMatchObject({
      code: 'SOURCE_TOO_LARGE',
      evidence: { limit: 'maxBytes', allowed: 200_000 },
    })
    expect(readdirSync(join(directory, 'work'))).toEqual([])
    expect(existsSync(join(directory, 'cache'))).toBe(false)
  })

  it.skipIf(!existsSync(gitHttpBackend))(
    'stop a fetch while it is still bringing more (needs git-http-backend)',
    async () => {
      const repository = testRepository()
      repository.commit('Large', { 'large.bin': randomBytes(3_000_000) })
      let stopped = false
      await using server = await testGitServer({
        root: dirname(repository.directory),
        // The far side sends a part, then no end.
        cut: { afterBytes: 1_000_000, onClose: () => (stopped = true) },
      })
      const directory = testDirectory()
      const git = `${server.url}/${basename(repository.directory)}/.git`
      const source = gitSource({ git }, { directory, maxBytes: 200_000 })
      await expect(source.resolve('main', context)).rejects.toMatchObject({ code: 'SOURCE_TOO_LARGE' })
      await vi.waitFor(() => expect(stopped).toBe(true))
      expect(readdirSync(join(directory, 'work'))).toEqual([])
    },
  )

  it.skipIf(!existsSync('/proc/self/environ'))(
    'end a git that takes too long with all that it started, whatever signals they ignore (needs /proc)',
    async () => {
      const bin = testDirectory()
      const script = `#!/bin/sh\ntrap '' INT TERM HUP\n(trap '' INT TERM HUP; while :; do sleep 1; done) &\nwhile :; do sleep 1; done\n`
      writeFileSync(join(bin, 'git'), script, { mode: 0o755 })
      vi.stubEnv('PATH', `${bin}:/bin:/usr/bin`)
      const directory = testDirectory()
      const source = gitSource({ git: '/some/repository' }, { directory, timeoutMs: 500 })
      await expect(source.resolve('main', context)).rejects.toMatchObject({
        code: 'SOURCE_UNREACHABLE',
        retryable: true,
        evidence: { limit: 'timeoutMs', allowed: 500 },
      })
      await vi.waitFor(() => expect(processesOf(directory)).toEqual([]))
      expect(readdirSync(join(directory, 'work'))).toEqual([])
    },
  )
})
