// Many releases at once in one process, on adapters in memory and the SQLite store: what an event costs, how late it comes, what memory it takes.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const child = join(import.meta.dirname, 'engine', 'child.mjs')
const linesPerRun = 200

/** @returns {Promise<import('./harness.mjs').Figure[]>} */
export async function figures() {
  const [ten, hundred, thousand] = [10, 100, 1_000].map((runs) => play(runs, linesPerRun))
  const paced = play(1_000, linesPerRun, 20_000)
  const cost = (played) => round(played.cpuMicrosecondsPerEvent)
  return [
    { figure: '1,000 runs, as fast as it goes: events', value: thousand.events, unit: '' },
    { figure: '1,000 runs: events per second', value: round(thousand.eventsPerSecond), unit: '1/s', aim: '≥ 20000' },
    { figure: '1,000 runs: commit → delivered p50', value: round(thousand.p50Ms), unit: 'ms' },
    { figure: '1,000 runs: commit → delivered p99', value: round(thousand.p99Ms), unit: 'ms' },
    { figure: '1,000 runs: peak RSS', value: round(thousand.peakRssMb), unit: 'MB', aim: '≤ 300' },
    { figure: 'paced to 20,000 events a second: events per second', value: round(paced.eventsPerSecond), unit: '1/s' },
    { figure: 'paced: commit → delivered p50', value: round(paced.p50Ms), unit: 'ms' },
    { figure: 'paced: commit → delivered p99', value: round(paced.p99Ms), unit: 'ms', aim: '≤ 25' },
    { figure: 'paced: peak RSS', value: round(paced.peakRssMb), unit: 'MB', aim: '≤ 300' },
    { figure: 'CPU per event at 10 runs', value: cost(ten), unit: 'µs' },
    { figure: 'CPU per event at 100 runs', value: cost(hundred), unit: 'µs', aim: 'flat' },
    { figure: 'CPU per event at 1,000 runs', value: cost(thousand), unit: 'µs', aim: 'flat' },
  ]
}

function play(runs, lines, rate = 0) {
  const directory = mkdtempSync(join(tmpdir(), 'kiwi-bench-engine-'))
  try {
    const arguments_ = [child, directory, String(runs), String(lines), String(rate)]
    const { stdout, stderr, status } = spawnSync(process.execPath, arguments_, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${runs} runs failed: ${stderr}`)
    const played = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
    process.stderr.write(`${JSON.stringify(played)}\n`)
    return played
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function round(value) {
  return value >= 100 ? Math.round(value) : Math.round(value * 10) / 10
}
