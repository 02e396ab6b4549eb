import assert from 'node:assert/strict'
import { range, type StoreCase } from './case.js'

/** In the order of their bytes as UTF-8. */
const oddKeys = [
  '',
  '\u0000',
  '\n',
  ' ',
  '"',
  '%',
  "'",
  '*',
  '-',
  '/',
  'A',
  'Z',
  '[',
  '\\',
  '_',
  'a',
  'a/b',
  'aa',
  'é',
  '\ud7ff',
  '\uffff',
  '😀',
  '\u{10ffff}',
]

export const documentCases: readonly StoreCase[] = [
  {
    name: 'a document is written, replaced and removed, and says whether',
    async check({ documents }) {
      assert.equal(await documents.get('k', 'x'), undefined)
      assert.equal(await documents.put({ kind: 'k', key: 'x', value: { one: [1, null, 'é'] } }), true)
      assert.equal(await documents.put({ kind: 'k', key: 'x', value: null }), true)
      assert.equal(await documents.get('k', 'x'), null)
      assert.equal(await documents.get('other', 'x'), undefined)
      assert.deepEqual([await documents.remove('k', 'x'), await documents.remove('k', 'x')], [true, false])
      assert.equal(await documents.get('k', 'x'), undefined)
    },
  },
  {
    name: 'a document written once stays as it is, also when many write it at the same time, until it is removed',
    async check({ documents }) {
      const write = (value: number) => documents.put({ kind: 'k', key: 'x', value, once: true })
      const answers = await Promise.all(range(20).map(write))
      assert.deepEqual(
        answers,
        range(20).map((one) => one === 1),
      )
      assert.equal(await documents.get('k', 'x'), 1)
      await documents.remove('k', 'x')
      assert.deepEqual([await write(7), await documents.get('k', 'x')], [true, 7])
    },
  },
  {
    name: 'documents are listed by prefix in the order of their keys, whatever characters those have',
    async check({ documents }) {
      await Promise.all(oddKeys.toReversed().map((key) => documents.put({ kind: 'k', key, value: key })))
      await documents.put({ kind: 'l', key: 'a', value: 'other' })
      assert.deepEqual(
        await documents.list('k', ''),
        oddKeys.map((key) => ({ key, value: key })),
      )
      for (const prefix of [...oddKeys, 'b']) {
        const expected = oddKeys.filter((key) => key.startsWith(prefix))
        assert.deepEqual(
          (await documents.list('k', prefix)).map(({ key }) => key),
          expected,
          JSON.stringify(prefix),
        )
      }
    },
  },
  {
    name: 'a prefix means its own characters only',
    async check({ documents }) {
      for (const key of ['web/production/1', 'web/production/10', 'web/production2/1', 'Web/production/1', 'web'])
        await documents.put({ kind: 'release', key, value: 1 })
      const keys = (await documents.list('release', 'web/production/')).map(({ key }) => key)
      assert.deepEqual(keys, ['web/production/1', 'web/production/10'])
    },
  },
  {
    name: 'a counter never gives a number twice, and misses none, when a thousand ask at the same time',
    async check(store) {
      const numbers = await Promise.all(range(1_000).map(() => store.count('build/web')))
      assert.deepEqual(
        numbers.toSorted((one, other) => one - other),
        range(1_000),
      )
      assert.equal(await store.count('build/api'), 1)
    },
  },
]
