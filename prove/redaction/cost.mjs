// What the redactor costs, by the number of secrets it knows.
import { secretsOf } from './cases.mjs'
import { fromSource } from './source.mjs'

const { createRedactor } = await fromSource('secrets/redactor')
const lines = Array.from(
  { length: 20_000 },
  (_, i) =>
    `#12 ${i / 10} npm info run esbuild@0.${i % 30}.1 postinstall node_modules/esbuild { code: 0 } sha256:${(i * 40_503).toString(16)}abcdef0123`,
)

/**
 * Microseconds for a line of about 110 characters, the best of five rounds: as it streams through, and as the event it becomes.
 * @param {number} seed
 */
export function cost(seed) {
  const rows = [0, 10, 100, 1_000].map((secrets) => {
    const redactor = createRedactor()
    const values = Array.from({ length: Math.ceil(secrets / 20) }, (_, batch) => secretsOf(seed, batch)).flat()
    const began = performance.now()
    for (const { value, name } of values.filter(({ word }) => !word).slice(0, secrets)) redactor.add(value, name)
    const addMs = performance.now() - began
    const stream = best(() => {
      const { push, end } = redactor.lines()
      for (const line of lines) push(`${line}\n`)
      end()
    })
    const event = best(() => {
      for (const text of lines) redactor.json({ type: 'log', stream: 'out', step: 'build 3', text })
    })
    return { secrets, usPerLine: stream, usPerEvent: event, addMsPerSecret: round(addMs / Math.max(secrets, 1)) }
  })
  const [ten, , most] = rows.slice(1).map(({ usPerLine }) => usPerLine)
  const problem = most > ten * 4 ? 'a line takes longer the more secrets there are' : undefined
  return { cost: rows, ...(problem && { problem }) }
}

/** @param {() => void} work on all lines */
function best(work) {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    const began = performance.now()
    work()
    least = Math.min(least, performance.now() - began)
  }
  return round((least * 1_000) / lines.length)
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 100) / 100
}
