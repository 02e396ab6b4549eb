import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { materialise } from './materialise.js'
import { makeScratch, removeLeftovers } from './scratch.js'
import { type Layer, layerStore } from './store.js'
import { inOverlay, layerOf, overlayMissing, treeOf } from './testing.js'
import { mergedView } from './view.js'

const { signal } = new AbortController()
let state = ''
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'kiwi-layers-'))
})
afterEach(() => rm(state, { recursive: true }))
if (overlayMissing) console.warn(`SKIPPED: tests of layers on a real overlayfs (${overlayMissing})`)

const base = layerOf(
  ['etc/'],
  ['etc/passwd', 'root:x:0:0::/root:/bin/sh\n'],
  ['app/'],
  ['app/old/'],
  ['app/old/one', '1'],
  ['app/old/two', '2'],
  ['app/kept', 'k', { uid: 1000, gid: 1001, mode: 0o4750 }],
  ['app/same', '=> app/kept'],
  ['app/becomes-file/'],
  ['app/becomes-file/x', 'x'],
  ['app/becomes-directory', 'was a file'],
  ['lib', '-> usr/lib'],
  ['usr/'],
  ['usr/lib/'],
  ['usr/lib/a', 'a'],
  ['gone/'],
  ['gone/deep/'],
  ['gone/deep/x', 'x'],
)
const change = layerOf(
  ['.wh.gone'],
  ['app/'],
  ['app/.wh.kept'],
  ['app/old/'],
  ['app/old/.wh..wh..opq'],
  ['app/old/three', '3'],
  ['app/becomes-file', 'now a file'],
  ['app/becomes-directory/'],
  ['app/becomes-directory/y', 'y'],
)
const merged = [
  'app',
  'app/becomes-directory',
  'app/becomes-directory/y',
  'app/becomes-file',
  'app/old',
  'app/old/three',
  'app/same',
  'etc',
  'etc/passwd',
  'lib',
  'usr',
  'usr/lib',
  'usr/lib/a',
]

function pathsOf(view: ReturnType<typeof mergedView>, path = ''): string[] {
  return view.children(path).flatMap((name) => {
    const child = path === '' ? name : `${path}/${name}`
    return view.lookup(child)?.entry.type === 'directory' ? [child, ...pathsOf(view, child)] : [child]
  })
}

describe.skipIf(overlayMissing)('unpacked layers', () => {
  it('show through overlayfs what the image format says: removed, replaced and opaque', async () => {
    const store = layerStore(state)
    const lowers = await Promise.all([base, change].map((layer) => store.ensure(layer, signal)))
    const seen = inOverlay(lowers, undefined, 'find . -mindepth 1 | sort').trim().split('\n')
    expect(seen.map((path) => path.slice(2))).toEqual(merged)
    expect((await readdir(join(lowers[1] ?? '', 'app'))).filter((name) => name.startsWith('.wh.'))).toEqual([])
  })

  it('hold whiteouts as devices 0:0 and opaque directories as the attribute', async () => {
    const store = layerStore(state)
    const tree = await store.ensure(change, signal)
    const gone = await stat(join(tree, 'gone'))
    expect([gone.isCharacterDevice(), gone.rdev]).toEqual([true, 0])
    const marks = execFileSync('getfattr', ['-R', '-h', '-d', '-m', 'trusted.overlay', '--absolute-names', tree])
    expect(marks.toString().trim().split('\n')).toEqual([`# file: ${tree}/app/old`, 'trusted.overlay.opaque="y"'])
    expect((await stat(join(tree, 'app/old'))).mtimeMs).toBe(1_700_000_000_000)
  })

  it('keep owners, set-id bits and hard links', async () => {
    const tree = await layerStore(state).ensure(base, signal)
    const kept = await stat(join(tree, 'app/kept'))
    expect([kept.uid, kept.gid, kept.mode & 0o7777, kept.nlink]).toEqual([1000, 1001, 0o4750, 2])
    expect((await stat(join(tree, 'app/same'))).ino).toBe(kept.ino)
  })

  it('cannot bring overlayfs’ own marks along', async () => {
    const forged = layerOf(['app/', '', { attributes: { 'trusted.overlay.opaque': Buffer.from('y') } }])
    const tree = await layerStore(state).ensure(forged, signal)
    const marks = execFileSync('getfattr', ['-R', '-h', '-d', '-m', 'trusted', '--absolute-names', tree])
    expect(marks.toString()).toBe('')
  })

  it('are unpacked once, however many ask at the same time', async () => {
    let opened = 0
    const counted: Layer = {
      ...base,
      open(at) {
        opened += 1
        return base.open(at)
      },
    }
    const store = layerStore(state)
    const paths = await Promise.all(Array.from({ length: 5 }, () => store.ensure(counted, signal)))
    expect(new Set(paths).size).toBe(1)
    expect(opened).toBe(1)
    expect(await readdir(join(state, 'work'))).toEqual([])
  })

  it('that are not what the image says leave nothing behind', async () => {
    const store = layerStore(state)
    const wrong = { ...base, diffId: change.diffId }
    await expect(store.ensure(wrong, signal)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
    expect(await store.has(change.diffId)).toBe(false)
    expect(await readdir(join(state, 'work'))).toEqual([])
  })

  it('that name a path outside are refused', async () => {
    const store = layerStore(state)
    await expect(store.ensure(layerOf(['../x', 'x']), signal)).rejects.toMatchObject({ code: 'REGISTRY_FAILED' })
  })

  it('cannot write through a symlink that leads out', async () => {
    const outside = join(state, 'outside')
    execFileSync('mkdir', [outside])
    const store = layerStore(state)
    await store.ensure(layerOf(['way', `-> ${outside}`], ['way/file', 'x']), signal).catch(() => undefined)
    expect(await readdir(outside)).toEqual([])
  })
})

describe('scratch folders', () => {
  it('of dead processes are removed, those of the living are not', async () => {
    const work = join(state, 'work')
    const mine = await makeScratch(state)
    execFileSync('mkdir', ['-p', join(work, '1-999999999-dead/tree'), join(work, `${process.pid}-1-reused`)])
    await removeLeftovers(state)
    expect(await readdir(work)).toEqual([basename(mine.directory)])
    await mine[Symbol.asyncDispose]()
    expect(await readdir(work)).toEqual([])
  })
})

describe('the merged view', () => {
  it('lists what overlayfs would show, from the indices alone', async () => {
    const store = layerStore(state)
    const view = mergedView(await Promise.all([base, change].map((layer) => store.index(layer, signal))))
    expect(pathsOf(view)).toEqual(merged)
    expect(await store.has(base.diffId)).toBe(false)
  })

  it('follows symlinks inside the root only', async () => {
    const links = layerOf(
      ['up', '-> ../../etc'],
      ['abs', '-> /usr/lib'],
      ['loop', '-> loop'],
      ['chain', '-> abs/../lib'],
    )
    const store = layerStore(state)
    const view = mergedView(await Promise.all([base, links].map((layer) => store.index(layer, signal))))
    expect(view.resolve('lib/new/file')).toBe('usr/lib/new/file')
    expect(view.resolve('up/passwd')).toBe('etc/passwd')
    expect(view.resolve('abs/a')).toBe('usr/lib/a')
    expect(view.resolve('chain/a')).toBe('usr/lib/a')
    expect(view.resolve('lib', { keepLast: true })).toBe('lib')
    expect(view.resolve('../../../x')).toBe('x')
    expect(() => view.resolve('loop/x')).toThrow('more than 40 symbolic links')
    expect(view.text('etc/passwd')).toContain('root:x:0')
  })

  it('takes the looks of a directory that a layer does not list from below', async () => {
    const store = layerStore(state)
    const sticky = layerOf(['tmp/', '', { mode: 0o1777 }])
    const unlisted = layerOf(['tmp/file', 'x'])
    const view = mergedView(await Promise.all([sticky, unlisted].map((layer) => store.index(layer, signal))))
    expect(view.lookup('tmp')?.entry.mode).toBe(0o1777)
  })

  it('reads an index again from the store', async () => {
    const first = await layerStore(state).index(change, signal)
    const never: Layer = { ...change, open: () => raise() }
    expect(await layerStore(state).index(never, signal)).toEqual(first)
  })
})

describe('a materialised image', () => {
  it('has the merged files, and its symlinks lead nobody out', async () => {
    const outside = join(state, 'outside')
    execFileSync('mkdir', [outside])
    const evil = layerOf(['app/old', `-> ${outside}`])
    const over = layerOf(['app/old/evil', 'x'])
    const directory = join(state, 'root')
    const store = layerStore(state)
    await materialise([base, change, evil, over], directory, { store, signal })
    expect(Object.keys(treeOf(directory))).toEqual(merged.map((path) => path.replace('old/three', 'old/evil')))
    expect(await readdir(outside)).toEqual([])
  })

  it('works without the rights of root: trees hold plain files', async () => {
    await symlink('nowhere', join(state, 'unrelated'))
    const directory = join(state, 'root')
    await materialise([base, change], directory, { store: layerStore(state, { form: 'plain' }), signal })
    expect(Object.keys(treeOf(directory))).toEqual(merged)
  })
})

function raise(): never {
  throw new Error('was opened again')
}
