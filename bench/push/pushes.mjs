// 500 MB of new layers: every push is of layers that no registry has seen.
import { writeImage } from './image.mjs'
import { figure, median, run } from './measure.mjs'
import { compressing, load, pushCommand, unload } from './peers.mjs'

const accept = 'application/vnd.oci.image.manifest.v1+json,application/vnd.docker.distribution.manifest.v2+json'
const pushers = [...compressing.gzip, ...compressing.zstd, 'crane as it is']

/**
 * @typedef {{ who: string, bytes: number, ms: number, rssMiB: number }} Push
 * @param {import('./peers.mjs').Bench} bench
 * @param {string[]} contents
 * @param {number} rounds
 */
export async function pushes(bench, contents, rounds) {
  const runId = Date.now().toString(36)
  /** @type {Push[]} */
  const runs = []
  let layerBytes = 0
  for (let round = 0; round < rounds; round += 1) {
    for (const who of round % 2 ? pushers.toReversed() : pushers) {
      layerBytes = writeImage(bench.layout, contents, `${runId} ${round} ${who}`)
      runs.push(await push(who, bench, `${runId}-${round}`))
    }
  }
  const rows = [figure('layers, not compressed', layerBytes / 1e6, 'MB'), figure('rounds', rounds, '')]
  return [...rows, ...pushers.flatMap((who) => figuresOf(who, runs)), ...ratios('gzip', runs), ...ratios('zstd', runs)]
}

/**
 * @param {string} who
 * @param {import('./peers.mjs').Bench} bench
 * @param {string} tag
 * @returns {Promise<Push>}
 */
async function push(who, bench, tag) {
  const place = { host: bench.upstream, repository: `bench/push-${who.replaceAll(' ', '-')}`, tag }
  load(who, bench, place)
  const measured = await run(pushCommand(who, bench, place))
  unload(who, bench, place)
  const bytes = await storedBytes(place)
  process.stderr.write(`${who}: ${Math.round(measured.ms)} ms, ${bytes} bytes\n`)
  return { who, bytes, ...measured }
}

/**
 * @param {string} who
 * @param {Push[]} runs
 */
function figuresOf(who, runs) {
  const aim = who.startsWith('kiwi') ? '≤ 114' : undefined // 120 MB
  return [
    figure(`push, ${who}`, of(runs, who, 'ms'), 'ms'),
    figure(`push, ${who}: in the manifest`, of(runs, who, 'bytes') / 1e6, 'MB'),
    figure(`push, ${who}: most memory of the process`, of(runs, who, 'rssMiB'), 'MiB', aim),
  ]
}

/**
 * @param {'gzip' | 'zstd'} method
 * @param {Push[]} runs
 */
function ratios(method, runs) {
  const [kiwi = '', ...others] = compressing[method]
  const best = others.toSorted((a, b) => of(runs, a, 'ms') - of(runs, b, 'ms'))[0] ?? ''
  const ratio = (/** @type {'ms' | 'bytes'} */ key) => of(runs, kiwi, key) / of(runs, best, key)
  return [
    figure(
      `push, ${method}: time to that of the fastest, ${best}`,
      ratio('ms'),
      '×',
      method === 'gzip' ? '≤ 0.85' : '≤ 0.6',
    ),
    figure(`push, ${method}: bytes to those of ${best}`, ratio('bytes'), '×', '≤ 1.1'),
  ]
}

/**
 * @param {Push[]} runs
 * @param {string} who
 * @param {'ms' | 'bytes' | 'rssMiB'} key
 */
function of(runs, who, key) {
  return median(runs.filter((one) => one.who === who).map((one) => one[key]))
}

/** @param {import('./peers.mjs').Place} place */
async function storedBytes({ host, repository, tag }) {
  const answer = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, { headers: { accept } })
  if (!answer.ok) throw new Error(`${repository}:${tag} is not in the registry: ${answer.status}`)
  const { layers } = /** @type {{ layers: { size: number }[] }} */ (await answer.json())
  return layers.reduce((sum, { size }) => sum + size, 0)
}
