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
  const context = await bench.setup?.()
  try {
    await compare(bench, context)
  } finally {
    await context?.[Symbol.asyncDispose]()
  }
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
