import { cpus, release, totalmem } from 'node:os'

/**
 * What bench/NAME.mjs exports, as `export const bench = …` or name by name.
 * @typedef {object} Bench
 * @property {() => Promise<AsyncDisposable>} [setup] servers, files; disposed of at the end
 * @property {Case[] | ((context: any) => Case[] | Promise<Case[]>)} cases a function where they need what setup made
 * @property {number} [rounds] that count, 10 unless said
 * @property {number} [warmups] rounds before that, 2 unless said
 *
 * @typedef {object} Case
 * @property {string} name
 * @property {number} [aim] at most this ratio, Kiwi's time to that of the best peer
 * @property {number} [aimMs] at most this long, where there is no peer
 * @property {(round: number, who: string) => unknown} [before] each measured call, not measured itself (`who`: kiwi or the peer)
 * @property {(round: number) => unknown} kiwi measured
 * @property {Record<string, (round: number) => unknown>} [peers] do the same thing; measured in turn with Kiwi
 *
 * @typedef {{ figure: string, value: number, unit: string, aim?: string }} Figure one row of a bench that exports `figures` instead
 *
 * @typedef {{ case: string, who: string, round: number, ms: number }} Sample
 */

/**
 * Runs the cases round by round, so that whatever else the machine does meets everybody: A B, then B A, then A B, …
 * Rounds below 0 are warm-up and not kept.
 * @param {Case[]} cases
 * @param {{ rounds: number, warmups: number, onRound?: (round: number) => void }} options
 * @returns {Promise<Sample[]>}
 */
export async function measure(cases, { rounds, warmups, onRound = () => {} }) {
  /** @type {Sample[]} */
  const samples = []
  for (let round = -warmups; round < rounds; round++) {
    onRound(round)
    for (const one of cases) samples.push(...(await measureRound(one, round)))
  }
  return samples.filter(({ round }) => round >= 0)
}

/**
 * @param {Case} one
 * @param {number} round
 */
async function measureRound(one, round) {
  const runners = Object.entries({ kiwi: one.kiwi, ...one.peers })
  const turn = Math.abs(round) % runners.length
  const samples = []
  for (const [who, run] of [...runners.slice(turn), ...runners.slice(0, turn)]) {
    await one.before?.(round, who)
    const start = performance.now()
    await run(round)
    samples.push({ case: one.name, who, round, ms: performance.now() - start })
  }
  return samples
}

/**
 * @param {Case[]} cases
 * @param {Sample[]} samples
 */
export function summarise(cases, samples) {
  return cases.map(({ name, aim, aimMs, peers = {} }) => {
    const of = (/** @type {string} */ who) =>
      samples.filter((one) => one.case === name && one.who === who).map(({ ms }) => ms)
    const medians = Object.fromEntries(Object.keys(peers).map((who) => [who, quantile(of(who), 0.5)]))
    const kiwiMs = quantile(of('kiwi'), 0.5)
    const spread = Object.fromEntries(
      ['kiwi', ...Object.keys(peers)].map((who) => [who, [0.25, 0.75].map((q) => quantile(of(who), q))]),
    )
    const best = Math.min(...Object.values(medians))
    if (Object.keys(peers).length === 0)
      return { case: name, kiwiMs, peers: {}, ratio: null, aimMs: aimMs ?? null, spread }
    return {
      case: name,
      kiwiMs,
      peers: medians,
      ratio: Math.round((kiwiMs / best) * 1000) / 1000,
      aim: aim ?? null,
      spread,
    }
  })
}

/**
 * @param {number[]} values
 * @param {number} q
 * @returns {number} in milliseconds, to a thousandth
 */
function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const low = sorted[Math.floor(at)] ?? Number.NaN
  const high = sorted[Math.ceil(at)] ?? Number.NaN
  return Math.round((low + (high - low) * (at % 1)) * 1000) / 1000
}

/** @param {ReturnType<typeof summarise>} rows */
export function table(rows) {
  const peers = [...new Set(rows.flatMap((row) => Object.keys(row.peers)))]
  const head = ['case', 'kiwi ms', ...peers.map((name) => `${name} ms`), 'ratio', 'aim', "kiwi's middle half"]
  const lines = rows.map((row) => [
    row.case,
    row.kiwiMs.toFixed(1),
    ...peers.map((name) => row.peers[name]?.toFixed(1) ?? ''),
    row.ratio?.toFixed(2) ?? '',
    'aim' in row ? (row.aim === null ? '' : `≤ ${row.aim}`) : row.aimMs === null ? '' : `≤ ${row.aimMs} ms`,
    (row.spread.kiwi ?? []).map((ms) => ms.toFixed(1)).join(' to '),
  ])
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]?.length ?? 0)))
  return [head, ...lines]
    .map((line) =>
      line
        .map((cell, column) => pad(cell, widths[column] ?? 0, column))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/**
 * @param {string} cell
 * @param {number} width
 * @param {number} column
 */
function pad(cell, width, column) {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}

export function machine() {
  const [first] = cpus()
  return {
    cpu: first?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.version,
  }
}
