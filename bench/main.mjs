// Measures Kiwi beside its peers: npm run bench -- NAME [--rounds N] [--case PART-OF-NAME]
// Prints a table and, last, one line of JSON; writes every single measurement to bench/results/NAME.json.
// What bench/NAME.mjs exports is described in bench/harness.mjs.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { machine, measure, summarise, table } from './harness.mjs'

const here = import.meta.dirname
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string' }, case: { type: 'string' } },
})
const [name = ''] = positionals

if (!/^[a-z0-9-]+$/.test(name) || !existsSync(`${here}/${name}.mjs`)) {
  const names = readdirSync(here).filter((file) => file.endsWith('.mjs') && !/^(main|harness)/.test(file))
  console.error(`which benchmark? There are: ${names.map((file) => file.replace('.mjs', '')).join(', ') || 'none yet'}`)
  process.exitCode = 1
} else {
  await run()
}

async function run() {
  const exported = await import(`./${name}.mjs`)
  /** @type {import('./harness.mjs').Bench} */
  const bench = exported.bench ?? exported
  if (exported.figures) return await report(exported.figures)
  const context = await bench.setup?.()
  try {
    await compare(bench, context)
  } finally {
    await context?.[Symbol.asyncDispose]()
  }
}

/**
 * For what is not one time beside another's: figures with their aims.
 * @param {() => Promise<import('./harness.mjs').Figure[]>} figures
 */
async function report(figures) {
  const rows = await figures()
  const result = { bench: name, rows, machine: machine() }
  mkdirSync(`${here}/results`, { recursive: true })
  writeFileSync(`${here}/results/${name}.json`, `${JSON.stringify(result, undefined, 1)}\n`)
  const text = rows.map(({ figure, value, unit, aim }) => [
    figure,
    `${value} ${unit}`,
    aim === undefined ? '' : `aim ${aim}`,
  ])
  const widths = [0, 1].map((column) => Math.max(...text.map((row) => (row[column] ?? '').length)))
  for (const [figure = '', value = '', aim] of text)
    console.log(`${figure.padEnd(widths[0] ?? 0)}  ${value.padStart(widths[1] ?? 0)}  ${aim}`)
  console.log(JSON.stringify(result))
}

/**
 * @param {import('./harness.mjs').Bench} bench
 * @param {AsyncDisposable | undefined} context
 */
async function compare(bench, context) {
  const all = typeof bench.cases === 'function' ? await bench.cases(context) : bench.cases
  const cases = all.filter((one) => one.name.includes(values.case ?? ''))
  const rounds = Number(values.rounds ?? bench.rounds ?? 10)
  const warmups = bench.warmups ?? 2
  const onRound = (/** @type {number} */ round) =>
    process.stderr.write(round < 0 ? 'warm-up\n' : `round ${round + 1} of ${rounds}\n`)
  const samples = await measure(cases, { rounds, warmups, onRound })
  const rows = summarise(cases, samples)
  const result = { bench: name, rows, machine: machine() }
  mkdirSync(`${here}/results`, { recursive: true })
  writeFileSync(
    `${here}/results/${name}.json`,
    `${JSON.stringify({ ...result, rounds, warmups, samples }, undefined, 1)}\n`,
  )
  console.log(table(rows))
  console.log(JSON.stringify(result))
}
