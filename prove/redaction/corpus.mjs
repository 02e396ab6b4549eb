// Text that holds no secret, and how much of it is masked all the same.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { secretsOf } from './cases.mjs'
import { fromSource } from './source.mjs'

const { createRedactor } = await fromSource('secrets/redactor')
const root = join(import.meta.dirname, '..', '..')

/** What builds, engines and applications print, and the files they print it about: digests, base64, JSON, code, prose. */
function corpus() {
  const files = ['package-lock.json', 'docs/**/*.md', 'packages/*/src/**/*.ts', 'bench/results/*.json']
  const texts = globSync(files, { cwd: root })
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .filter((text) => !text.includes('[redacted:'))
  const logs = readFileSync(join(import.meta.dirname, 'corpus.txt'), 'utf8')
  return [logs, ...texts, ...texts.map((text) => Buffer.from(text).toString('base64'))]
}

/**
 * @param {number} seed
 * @param {{ words: boolean }} options whether secrets that are common words are known, too
 */
export function maskedShare(seed, { words }) {
  const redactor = createRedactor()
  for (let batch = 0; batch < 4; batch++)
    for (const { name, value, word } of secretsOf(seed, batch))
      if (words || !word) redactor.add(value, `${name}_${batch}`)
  const counts = { characters: 0, masked: 0, times: 0 }
  const bySecret = /** @type {Record<string, number>} */ ({})
  for (const text of corpus()) {
    const output = redactor.text(text)
    const names = [...output.matchAll(/\[redacted:(\w+)\]/g)].map(([mark, name]) => ({ mark, name }))
    counts.characters += text.length
    counts.times += names.length
    counts.masked += text.length - output.length + names.reduce((total, { mark }) => total + mark.length, 0)
    for (const { name } of names) bySecret[name] = (bySecret[name] ?? 0) + 1
  }
  const share = counts.masked / counts.characters
  const problem = !words && share > 1e-4 ? 'too much is masked that is no secret' : undefined
  return {
    corpus: words ? 'with common words as secrets' : 'without them',
    ...counts,
    share,
    bySecret,
    ...(problem && { problem }),
  }
}
