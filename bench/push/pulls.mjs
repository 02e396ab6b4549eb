// The same image pulled into an OCI layout. Kiwi's is on the disk when it is done; the peers leave that to the system.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { figure, median, run } from './measure.mjs'
import { pullCommands, pushCommand } from './peers.mjs'

/**
 * @param {import('./peers.mjs').Bench} bench
 * @param {number} rounds
 */
export async function pulls(bench, rounds) {
  const place = { host: bench.upstream, repository: 'bench/pull', tag: Date.now().toString(36) }
  await run(pushCommand('kiwi gzip', bench, place))
  const commands = Object.entries(pullCommands(bench, place))
  const runs = []
  for (let round = 0; round < rounds; round += 1) {
    for (const [who, command] of round % 2 ? commands.toReversed() : commands) {
      rmSync(join(bench.home, 'pulled'), { recursive: true, force: true })
      runs.push({ who, ...(await run(command)) })
    }
  }
  const of = (/** @type {string} */ who) => runs.filter((one) => one.who === who)
  return commands.flatMap(([who]) => [
    figure(`pull, ${who}`, median(of(who).map(({ ms }) => ms)), 'ms'),
    figure(`pull, ${who}: most memory of the process`, median(of(who).map(({ rssMiB }) => rssMiB)), 'MiB'),
  ])
}
