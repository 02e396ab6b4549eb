import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ociLayout } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decompressed } from '../layers/decompress.js'
import { type Layer, layerStore, mergedView } from '../layers/index.js'
import { readTar } from '../layers/tar/read.js'
import { inOverlay, layerOf, overlayMissing, treeOf } from '../layers/testing.js'
import { readUpper } from '../layers/upper.js'
import { writeLayer } from '../layers/write.js'

const context = testContext()
const { signal } = context
const latestSeconds = 1_750_000_000
let state = ''
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'kiwi-upper-'))
})
afterEach(() => rm(state, { recursive: true }))
if (overlayMissing) console.warn(`SKIPPED: tests of upper directories on a real overlayfs (${overlayMissing})`)

const base = layerOf(
  ['app/'],
  ['app/a', 'a'],
  ['app/b', 'b'],
  ['app/sub/'],
  ['app/sub/deep/'],
  ['app/sub/deep/x', 'x'],
  ['app/sub/deep/y', 'y'],
  ['app/sub/z', 'z'],
  ['app/link', '-> a'],
  ['etc/'],
  ['etc/motd', 'hello'],
)

/** Changes the base by a script on a real overlay, makes a layer of it, and unpacks that layer again elsewhere. */
async function changeBy(script: string, lower: readonly Layer[] = [base]) {
  const store = layerStore(state)
  const lowers = await Promise.all(lower.map((layer) => store.ensure(layer, signal)))
  const below = mergedView(await Promise.all(lower.map((layer) => store.index(layer, signal))))
  const upper = join(state, 'upper')
  const seen = join(state, 'seen')
  await mkdir(upper)
  inOverlay(lowers, upper, `${script}; mkdir ${seen}; cp -a . ${seen}`)
  const layout = ociLayout(state)
  const diff = await readUpper(upper, { below, latestSeconds, signal })
  const written = await writeLayer(diff.parts, layout.sink, context)
  const open = () => layout.source(written.descriptor).blob(written.descriptor, { offsetBytes: 0, signal })
  const layer: Layer = { ...written, open }
  const exact = await diff.settle()
  const names: string[] = []
  for await (const { name } of readTar(decompressed(open()))) names.push(name)
  const again = await layerStore(join(state, 'elsewhere')).ensure(layer, signal)
  const shown = join(state, 'shown')
  inOverlay([...lowers, again], undefined, `mkdir ${shown}; cp -a . ${shown}`)
  return { names, seen: treeOf(seen), shown: treeOf(shown), exact, upper, again, layer, below, store, written }
}

describe.skipIf(overlayMissing)('what a step changed on a real overlay', () => {
  it('is a layer of exactly the files it wrote, parents first', async () => {
    const { names, seen, shown } = await changeBy('echo new > app/sub/new; chmod 600 app/a; mkdir -p opt/x')
    expect(names).toEqual(['app', 'app/a', 'app/sub', 'app/sub/new', 'opt', 'opt/x'])
    expect(shown).toEqual(seen)
  })

  it('has whiteouts before their siblings', async () => {
    const { names, seen, shown } = await changeBy('rm app/b; rm -r app/sub; echo 1 > app/.first')
    expect(names).toEqual(['app', 'app/.wh.b', 'app/.wh.sub', 'app/.first'])
    expect(shown).toEqual(seen)
  })

  it('tells of a directory that was removed and made again, which only an attribute shows', async () => {
    const { names, seen, shown, exact } = await changeBy(
      'rm -r app/sub; mkdir -p app/sub/deep; echo new > app/sub/deep/y; echo w > app/sub/w',
    )
    expect(names).toEqual([
      'app',
      'app/sub',
      'app/sub/.wh.z',
      'app/sub/deep',
      'app/sub/deep/.wh.x',
      'app/sub/deep/y',
      'app/sub/w',
    ])
    expect(shown).toEqual(seen)
    expect(exact).toBe(false)
  })

  it('says when a file becomes a directory and a directory a file', async () => {
    const { seen, shown } = await changeBy('rm app/a; mkdir app/a; echo 1 > app/a/in; rm -r app/sub; echo f > app/sub')
    expect(shown).toEqual(seen)
    expect(seen['app/a/in']).toBeDefined()
  })

  it('keeps hard links inside the layer', async () => {
    const { seen, shown, names } = await changeBy('echo h > app/one; ln app/one etc/two; ln app/a app/also-a')
    expect(shown).toEqual(seen)
    expect(seen['etc/two']).toContain('= app/one')
    expect(names).toContain('etc/two')
  })

  it('keeps capabilities byte for byte, and no mark of overlayfs', async () => {
    const { again } = await changeBy(
      'echo p > app/program; setfattr -n security.capability -v 0x0100000280ff00000000000000000000000000ff app/program',
    )
    const dump = (name: string) =>
      execFileSync('getfattr', ['-R', '-h', '-d', '-e', 'hex', '-m', name, '--absolute-names', again]).toString()
    expect(dump('security')).toContain('security.capability=0x0100000280ff00000000000000000000000000ff')
    expect(dump('trusted')).toBe('')
  })

  it('leaves sockets out', async () => {
    const listen = `require('net').createServer().listen('app/socket', () => process.kill(process.pid, 'SIGKILL'))`
    const { names, exact } = await changeBy(
      `${process.execPath} -e "${listen}" || true; test -S app/socket; echo f > app/file`,
    )
    expect(names).toEqual(['app', 'app/file'])
    expect(exact).toBe(false)
  })

  it('has no time later than the build’s, so that another machine gets the same bytes', async () => {
    const { written, upper, exact } = await changeBy('echo x > app/x; touch -d @1600000000.5 app/old')
    await rm(join(state, 'seen'), { recursive: true })
    await rm(join(state, 'shown'), { recursive: true })
    expect((await stat(join(upper, 'app/x'))).mtimeMs).toBe(latestSeconds * 1000)
    expect(exact).toBe(true)
    await rm(upper, { recursive: true })
    await rm(join(state, 'elsewhere'), { recursive: true })
    const second = await changeBy('echo x > app/x; touch -d @1600000000.5 app/old')
    expect(second.written.descriptor).toEqual(written.descriptor)
  })

  it('can be taken into the store as it lies', async () => {
    const { store, layer, upper, seen, exact } = await changeBy('echo 1 > app/new; rm app/b')
    expect(exact).toBe(true)
    await store.adopt(layer.diffId, upper)
    const shown = join(state, 'adopted')
    inOverlay([store.path(base.diffId), store.path(layer.diffId)], undefined, `mkdir ${shown}; cp -a . ${shown}`)
    expect(treeOf(shown)).toEqual(seen)
  })

  it('is nothing when nothing was changed', async () => {
    const upper = join(state, 'upper')
    const lower = await layerStore(state).ensure(base, signal)
    await mkdir(upper)
    inOverlay([lower], upper, 'cat app/a; ls -R . > /dev/null')
    const below = mergedView([await layerStore(state).index(base, signal)])
    expect((await readUpper(upper, { below, latestSeconds, signal })).empty).toBe(true)
    expect(await readdir(upper)).toEqual([])
  })

  it('cannot hold names that mean whiteouts', async () => {
    await expect(changeBy('echo 1 > app/.wh.x')).rejects.toMatchObject({ code: 'BUILD_STEP_FAILED' })
  })
})
