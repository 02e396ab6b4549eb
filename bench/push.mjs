// 500 MB of new layers, not compressed yet, pushed to a CNCF distribution; the same image again, with one small layer changed; and pulled.
// Beside skopeo, buildah and docker, which compress as well, and crane, which sends layers as they are. Each is a process of its own.
// ROUNDS=N: 3 unless said; medians.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeContents } from './push/image.mjs'
import { peers } from './push/peers.mjs'
import { countingProxy } from './push/proxy.mjs'
import { pulls } from './push/pulls.mjs'
import { pushes } from './push/pushes.mjs'
import { unchanged } from './push/unchanged.mjs'

const rounds = Number(process.env.ROUNDS ?? 3)

/** @returns {Promise<import('./harness.mjs').Figure[]>} */
export async function figures() {
  const home = mkdtempSync(join(tmpdir(), 'kiwi-bench-push-'))
  const bench = peers(home)
  const proxy = await countingProxy(bench.upstream)
  try {
    const contents = makeContents(home)
    const pushed = await pushes(bench, contents, rounds)
    return [...pushed, ...(await unchanged(bench, contents, proxy)), ...(await pulls(bench, rounds))]
  } finally {
    proxy.close()
    rmSync(home, { recursive: true, force: true })
  }
}
