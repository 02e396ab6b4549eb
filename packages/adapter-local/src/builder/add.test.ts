import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KiwiError } from '@kiwi/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodeHeader, endOfTar } from '../layers/tar/write.js'
import { layerOf } from '../layers/testing.js'
import { findTool } from '../tools/find.js'
import { type Bench, bench } from './testing.js'

let at: Bench
beforeEach(() => {
  at = bench()
})
afterEach(() => at[Symbol.dispose]())

const inContext = (name: string) => join(at.directory, 'context', name)

/** Packs a folder that `fill` has filled, with GNU tar. */
function pack(name: string, fill: (folder: string) => void, ...flags: string[]): void {
  const folder = join(at.directory, 'to-pack')
  mkdirSync(folder)
  fill(folder)
  execFileSync('tar', [
    '--owner=7',
    '--group=8',
    '--numeric-owner',
    ...flags,
    '-cf',
    inContext(name),
    '-C',
    folder,
    '.',
  ])
  rmSync(folder, { recursive: true })
}

type Header = Parameters<typeof encodeHeader>[0]

/** Writes an archive that no well-meaning program makes. */
function forge(name: string, ...headers: (Partial<Header> & { name: string })[]): void {
  const common = { type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtimeSeconds: 0 } as const
  const blocks = headers.map((header) => encodeHeader({ ...common, ...header }))
  writeFileSync(inContext(name), Buffer.concat([...blocks, endOfTar]))
}

async function refusal(dockerfile: string): Promise<KiwiError> {
  return at.build(dockerfile).then(() => {
    throw new Error('it was built')
  }, KiwiError.from)
}

const simple = (folder: string) => {
  mkdirSync(join(folder, 'd'), { mode: 0o750 })
  writeFileSync(join(folder, 'd/x'), 'x', { mode: 0o640 })
  linkSync(join(folder, 'd/x'), join(folder, 'y'))
  symlinkSync('d/x', join(folder, 'l'))
}

describe('ADD of an archive', () => {
  it('unpacks it with its owners, modes and links, also where the name says nothing', async () => {
    pack('data.bin', simple, '--gzip')
    const { tree } = await at.build('FROM scratch\nADD data.bin /a')
    expect(tree()).toMatchObject({
      'a/d': 'directory 7:8 750',
      'a/d/x': expect.stringMatching(/^file 7:8 640/),
      'a/l': expect.stringContaining('d/x'),
      'a/y': expect.stringMatching(/^file 7:8 640/),
    })
  })

  it.each(['gzip', 'bzip2', 'xz'] as const)('unpacks %s', async (packer) => {
    if (packer !== 'gzip' && findTool(packer) === undefined) return
    pack('a', simple, `--${packer}`)
    expect(Object.keys((await at.build('FROM scratch\nADD a /')).tree())).toContain('d/x')
  })

  it('gives it to the owner that is asked for', async () => {
    pack('a.tar', simple)
    expect((await at.build('FROM scratch\nADD --chown=5:6 a.tar /a/')).tree()['a/d/x']).toMatch(/5:6/)
  })

  it('copies what only has the name of one, or is not to be unpacked', async () => {
    at.write({ 'a.tar': 'no archive', 'b.tgz': '' })
    pack('c.tar', simple)
    const { tree } = await at.build('FROM scratch\nADD a.tar b.tgz /\nADD --unpack=false c.tar /\nCOPY c.tar /d.tar')
    expect(Object.keys(tree())).toEqual(['a.tar', 'b.tgz', 'c.tar', 'd.tar'])
  })

  it('follows links on the way inside the image only', async () => {
    await at.base('base', [layerOf(['real/'], ['link', '-> /real'], ['out', '-> ../../../real'])])
    forge(
      'a.tar',
      { name: 'link/x' },
      { name: 'out/y' },
      { name: 'own', type: 'symlink', link: '/../../real' },
      { name: 'own/z' },
    )
    const { tree, names } = await at.build('FROM base\nADD a.tar /')
    expect(names().filter((name) => !name.endsWith('/'))).toEqual(['own', 'real/x', 'real/y', 'real/z'])
    expect(Object.keys(tree())).toEqual(['link', 'out', 'own', 'real', 'real/x', 'real/y', 'real/z'])
  })

  it('takes the later of two entries, also where it is of another kind', async () => {
    forge('a.tar', { name: 'a', type: 'directory', mode: 0o755 }, { name: 'a/x' }, { name: 'a', mode: 0o600 })
    expect((await at.build('FROM scratch\nADD a.tar /')).names()).toEqual(['a'])
  })

  it.each<[string, (Partial<Header> & { name: string })[], RegExp]>([
    ['a name that leads out', [{ name: '../x' }], /leads out/],
    ['a name that leads out later on', [{ name: 'a/../../x' }], /leads out/],
    ['a hard link to what it does not bring', [{ name: 'x', type: 'hardlink', link: 'etc/shadow' }], /hard link/],
    ['a hard link that leads out', [{ name: 'x', type: 'hardlink', link: '../../etc/shadow' }], /leads out/],
    ['a device', [{ name: 'sda', type: 'block-device', device: { major: 8, minor: 0 } }], /cannot be unpacked/],
    ['a pipe', [{ name: 'p', type: 'fifo' }], /cannot be unpacked/],
    ['a file where a directory would have to be', [{ name: 'a' }, { name: 'a/x' }], /is no directory/],
    ['the destination itself', [{ name: '.', type: 'symlink', link: '/etc' }], /replace the destination/],
  ])('refuses %s', async (_, headers, message) => {
    forge('a.tar', ...headers)
    expect(await refusal('FROM scratch\nADD a.tar /d/')).toMatchObject({
      code: 'CONTEXT_INVALID',
      message: expect.stringMatching(message),
    })
  })

  it('refuses one that ends too early', async () => {
    forge('a.tar', { name: 'x' }, { name: 'big', size: 5000 })
    expect(await refusal('FROM scratch\nADD a.tar /')).toMatchObject({
      code: 'CONTEXT_INVALID',
      message: expect.stringContaining('is broken'),
    })
  })

  it('is one file for the cache: the same archive, the same layer', async () => {
    pack('a.tar', simple)
    const dockerfile = 'FROM scratch\nADD a.tar /'
    const first = await at.build(dockerfile)
    const second = await at.build(dockerfile)
    expect([second.notes, second.layers]).toEqual([{ 2: 'layer cache' }, first.layers])
  })
})

describe('--exclude', () => {
  it('leaves out what its patterns name in the source, and keeps directories that still hold something', async () => {
    at.write({ 'src/a.log': '', 'src/a.js': '', 'src/deep/b.log': '', 'src/deep/b.js': '', 'src/logs/only.log': '' })
    const { names } = await at.build(
      'FROM scratch\nCOPY --exclude=*.log --exclude=deep/*.js --exclude=**/only.log src /a',
    )
    expect(names()).toEqual(['a/', 'a/a.js', 'a/deep/', 'a/deep/b.log', 'a/logs/'])
  })

  it('judges a single file by its name, and is part of the key', async () => {
    at.write({ 'a.js': '', 'b.log': '' })
    expect((await at.build('FROM scratch\nCOPY --exclude=*.log a.js b.log /d/')).names()).toEqual(['d/', 'd/a.js'])
    expect((await at.build('FROM scratch\nCOPY a.js b.log /d/')).names()).toEqual(['d/', 'd/a.js', 'd/b.log'])
  })
})

describe('a source', () => {
  it('is never above the context: what leads there is cut off', async () => {
    at.write({ x: 'inside' })
    writeFileSync(join(at.directory, 'x'), 'outside')
    const { tree } = await at.build('FROM scratch\nCOPY ../../x /\nCOPY /../x /y')
    expect(tree().x).toBe(tree().y?.replace('y', 'x'))
    expect(tree().x).toBe((await at.build('FROM scratch\nCOPY x /')).tree().x)
  })

  it('that .dockerignore leaves out is told as such, and not what else lies there', async () => {
    at.write({ 'dist/a': 'a', '.dockerignore': 'dist' })
    const error = await refusal('FROM scratch\nCOPY dist/a /')
    expect(error).toMatchObject({ code: 'CONTEXT_INVALID', hint: expect.stringContaining('!dist/a') })
    expect(error.message).toContain('left out of the build context by .dockerignore')
    expect((await refusal('FROM scratch\nCOPY dist/b /')).message).toContain('is not in the build context')
  })

  it.each(['../x', '/etc/x', '..'])('in the Dockerfile cannot be called %s', async (name) => {
    expect(await refusal(`FROM scratch\nCOPY <<${name} /d/\ntext\n${name}\n`)).toMatchObject({
      code: expect.stringMatching(/CONTEXT_INVALID|DOCKERFILE_SYNTAX/),
    })
  })
})
