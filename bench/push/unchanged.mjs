// An image that the registry has: with the same tag, with a new one, and with one small layer changed.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeImage } from './image.mjs'
import { figure, run } from './measure.mjs'
import { pushCommand } from './peers.mjs'

/**
 * @param {import('./peers.mjs').Bench} bench
 * @param {string[]} contents
 * @param {import('./proxy.mjs').CountingProxy} proxy
 */
export async function unchanged(bench, contents, proxy) {
  const rows = []
  for (const who of ['kiwi gzip', 'skopeo gzip', 'crane as it is']) {
    const repository = `bench/unchanged-${who.replaceAll(' ', '-')}`
    const tag = Date.now().toString(36)
    const push = (/** @type {string} */ name) =>
      run(pushCommand(who, bench, { host: proxy.host, repository, tag: name }))
    const counted = async (/** @type {string} */ what, /** @type {string} */ name) => {
      Object.assign(proxy, { requests: 0, blobBytes: 0 })
      const { ms } = await push(name)
      rows.push(figure(`${what}, ${who}: time`, ms, 'ms'))
      rows.push(figure(`${what}, ${who}`, proxy.requests, 'requests', who.startsWith('kiwi') ? aims[what] : undefined))
      rows.push(
        figure(
          `${what}, ${who}: blobs sent`,
          proxy.blobBytes / 1e3,
          'kB',
          who.startsWith('kiwi') && what in aims ? '0' : undefined,
        ),
      )
    }
    const small = join(bench.home, 'small.content')
    writeFileSync(small, 'a line of a program\n'.repeat(5000))
    const mark = `unchanged ${tag}`
    writeImage(bench.layout, [...contents, small], mark)
    await push(tag)
    await counted('unchanged, same tag', tag)
    await counted('unchanged, new tag', `${tag}-next`)
    writeFileSync(small, 'another line of a program\n'.repeat(5000))
    writeImage(bench.layout, [...contents, small], mark, { keep: 'compressed.json' })
    await counted('one small layer changed', `${tag}-changed`)
  }
  return rows
}

/** @type {Record<string, string>} of Kiwi's requests, authentication apart */
const aims = { 'unchanged, same tag': '1', 'unchanged, new tag': '2' }
