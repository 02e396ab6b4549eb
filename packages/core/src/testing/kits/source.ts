import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { Source } from '../../contracts/v1/source.js'
import { testContext } from '../context.js'
import { isPlainJson, isProbe, rejects, stops } from './expect.js'
import type { KitCase } from './kit.js'

/** One commit on a branch: its files are these and no others. A branch that is new begins at the commit before. */
export interface KitCommit {
  readonly branch: string
  readonly files: Readonly<Record<string, string>>
  readonly subject: string
  readonly tag?: string | undefined
}

export interface SourceKitOptions {
  /** Makes a repository of that history (its first branch is the default one) and answers the source and the SHA of each commit. */
  source(history: readonly KitCommit[]): Promise<{ readonly source: Source; readonly commits: readonly string[] }>
  /** The values of secrets that the source was told the names of. */
  readonly secrets?: Readonly<Record<string, string>> | undefined
}

const history: readonly KitCommit[] = [
  { branch: 'main', subject: 'one', files: { 'a.txt': 'one', 'dir/b.txt': 'b' } },
  { branch: 'main', subject: 'two', files: { 'a.txt': 'two', 'dir/b.txt': 'b', 'ü 1.txt': 'u' }, tag: 'v1.0' },
  { branch: 'feature/x', subject: 'three', files: { 'a.txt': 'two', 'c.txt': 'c' } },
]

interface Bench {
  readonly source: Source
  readonly first: string
  readonly second: string
  readonly third: string
  context(signal?: AbortSignal): ReturnType<typeof testContext>
}

/** What every source of commits keeps of its contract. One that knows only a present state (a directory) has tests of its own. */
export function sourceKit(options: SourceKitOptions): readonly KitCase[] {
  const { secrets } = options
  const one = (name: string, check: (bench: Bench) => Promise<void>): KitCase => ({
    name,
    async run() {
      const { source, commits } = await options.source(history)
      const [first = '', second = '', third = ''] = commits
      await check({ ...{ source, first, second, third }, context: (signal) => testContext({ secrets, signal }) })
    },
  })
  return [
    one('says in a probe what answers', async ({ source, context }) => {
      isProbe(await source.probe(context()), 'the source')
      assert.equal(source.contract, 'source/v1')
    }),
    one('lists branches and tags, the default branch first', async ({ source, second, third, context }) => {
      const refs = await Array.fromAsync(source.refs(context()))
      assert.deepEqual([refs[0]?.name, refs[0]?.default], ['main', true])
      assert.deepEqual(refs.filter((ref) => ref.default).length, 1)
      const told = refs.map(({ name, kind, commit }) => [name, kind, commit].join(' '))
      assert.deepEqual(told.sort(), [`feature/x branch ${third}`, `main branch ${second}`, `v1.0 tag ${second}`])
    }),
    one(
      'resolves a branch, a tag, a commit and the beginning of one',
      async ({ source, first, second, third, context }) => {
        const asked: readonly (readonly [string, string, object])[] = [
          ['main', second, { branch: 'main', subject: 'two' }],
          ['feature/x', third, { branch: 'feature/x', subject: 'three' }],
          ['v1.0', second, { tag: 'v1.0', subject: 'two' }],
          [first, first, { subject: 'one' }],
          [third.slice(0, 10), third, { subject: 'three' }],
        ]
        for (const [ref, commit, more] of asked) {
          const revision = await source.resolve(ref, context())
          isPlainJson(revision, 'a revision')
          assert.deepEqual(revision, { ...revision, commit, ref, ...more })
        }
      },
    ),
    one('names what is close to a ref that it does not have', async ({ source, context }) => {
      const { hint, effect } = await rejects(source.resolve('mian', context()), 'mian', { codes: ['REF_NOT_FOUND'] })
      assert.deepEqual([hint.includes('main'), effect], [true, 'none'], hint)
      await rejects(source.resolve('0'.repeat(12), context()), 'no commit', { codes: ['REF_NOT_FOUND'] })
    }),
    one('refuses refs that are none', async ({ source, context }) => {
      for (const ref of [
        '',
        '--upload-pack=x',
        '-x',
        'a..b',
        'a b',
        'main\n',
        'a\0b',
        'HEAD~1',
        'main:a.txt',
        '@{-1}',
        'a/../b',
      ])
        await rejects(source.resolve(ref, context()), JSON.stringify(ref), { codes: ['INPUT_INVALID'], effect: 'none' })
    }),
    one('opens exactly the files of a commit, also of an older one', async ({ source, first, third, context }) => {
      for (const [commit, files] of [
        [first, history[0]?.files],
        [third, history[2]?.files],
      ] as const) {
        const revision = await source.resolve(commit, context())
        await using tree = await source.open(revision, context())
        assert.deepEqual(await filesIn(tree.directory), files)
      }
    }),
    one('opens a directory of its own each time, and deletes it on dispose', async ({ source, context }) => {
      const revision = await source.resolve('main', context())
      const one = await source.open(revision, context())
      const other = await source.open(revision, context())
      assert.notEqual(one.directory, other.directory)
      await one[Symbol.asyncDispose]()
      assert.equal(existsSync(one.directory), false)
      assert.deepEqual(await filesIn(other.directory), history[1]?.files)
      await other[Symbol.asyncDispose]()
      assert.equal(existsSync(other.directory), false)
    }),
    one(
      'tells what changed between two commits, where it says that it can',
      async ({ source, first, second, third, context }) => {
        if (!source.changed) return
        const changed = async (from: string, to: string) => (await source.changed?.(from, to, context()))?.toSorted()
        assert.deepEqual(await changed(first, second), ['a.txt', 'ü 1.txt'])
        assert.deepEqual(await changed(second, third), ['c.txt', 'dir/b.txt', 'ü 1.txt'])
        assert.deepEqual(await changed(second, second), [])
      },
    ),
    one('does nothing once its signal has fired', async ({ source, context }) => {
      const revision = await source.resolve('main', context())
      const fired = () => context(AbortSignal.abort(new Error('enough')))
      await stops(source.resolve('main', fired()), 'resolve')
      await stops(source.open(revision, fired()), 'open')
    }),
  ]
}

/** Text by path, of all files. */
async function filesIn(directory: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const name of await readdir(directory, { recursive: true })) {
    const path = join(directory, name)
    if ((await stat(path)).isFile()) files[relative(directory, path)] = await readFile(path, 'utf8')
  }
  return files
}
