import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { TarHeader } from './header.js'
import { readTar } from './read.js'
import { encodeHeader, endOfTar, padding } from './write.js'

const plain = { mode: 0o644, uid: 0, gid: 0, size: 0, mtimeSeconds: 1_700_000_000 }

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiwi-tar-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function* once(bytes: Uint8Array, chunkBytes = bytes.byteLength) {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}

async function readAll(bytes: Uint8Array, chunkBytes?: number) {
  const found: { header: TarHeader; content: string }[] = []
  for await (const { content, ...header } of readTar(once(bytes, chunkBytes))) {
    const chunks: Uint8Array[] = []
    for await (const chunk of content()) chunks.push(chunk)
    found.push({ header, content: Buffer.concat(chunks).toString() })
  }
  return found
}

function archive(...entries: [TarHeader, string?][]): Buffer {
  const parts = entries.flatMap(([header, content = '']) => {
    const bytes = Buffer.from(content)
    return [encodeHeader({ ...header, size: bytes.byteLength }), bytes, padding(bytes.byteLength)]
  })
  return Buffer.concat([...parts, endOfTar])
}

describe('archives', () => {
  const entries: [TarHeader, string?][] = [
    [{ ...plain, name: 'app', type: 'directory', mode: 0o1777 }],
    [{ ...plain, name: 'app/no-rights', type: 'file', mode: 0 }, 'x'],
    [{ ...plain, name: `app/${'long/'.repeat(60)}ünïcode`, type: 'file' }, 'y'.repeat(1000)],
    [{ ...plain, name: 'app/link', type: 'symlink', mode: 0o777, link: `../${'far/'.repeat(50)}x` }],
    [{ ...plain, name: 'app/hard', type: 'hardlink', link: 'app/no-rights' }],
    [{ ...plain, name: 'app/null', type: 'character-device', device: { major: 1, minor: 3 } }],
    [{ ...plain, name: 'app/big-owner', type: 'file', uid: 1_000_660_000, gid: 4_000_000_000 }, ''],
    [
      {
        ...plain,
        name: 'app/capable',
        type: 'file',
        attributes: { 'security.capability': Buffer.from('0100000200f0ff0a3d00000000000000ff000000', 'hex') },
      },
      'z',
    ],
    [{ ...plain, name: 'app/byte-\udcff', type: 'file' }, ''],
  ]

  it('are read back as they were written, in chunks of any size', async () => {
    const written = entries.map(([header, content = '']) => ({
      header: { ...header, size: Buffer.byteLength(content) },
      content,
    }))
    for (const chunkBytes of [1 << 20, 512, 77]) {
      const read = await readAll(archive(...entries), chunkBytes)
      expect(read.map(({ header: { ...header }, content }) => ({ header: withoutStored(header), content }))).toEqual(
        written,
      )
    }
  })

  it('are understood by GNU tar', async () => {
    await writeFile(join(folder, 'a.tar'), archive(...entries))
    const list = execFileSync('tar', ['--numeric-owner', '--full-time', '-tvf', join(folder, 'a.tar')], {
      env: { LC_ALL: 'C', TZ: 'UTC', PATH: process.env.PATH ?? '' },
    }).toString()
    expect(list).toMatch(/---------- 0\/0 +1 2023-11-14 22:13:20 app\/no-rights/)
    expect(list).toContain('1000660000/4000000000')
    expect(list).toContain('drwxrwxrwt')
    expect(list).toContain('app/hard link to app/no-rights')
    expect(list).toContain('1,3')
    expect(list).toContain('app/byte-\\377')
    expect(list.split('\n').filter(Boolean)).toHaveLength(entries.length)
  })

  it('of GNU tar are read in the gnu and the posix format', async () => {
    const name = `${'deep/'.repeat(40)}file`
    execFileSync('mkdir', ['-p', join(folder, 'in', name, '..')])
    await writeFile(join(folder, 'in', name), 'hello')
    for (const format of ['gnu', 'posix', 'ustar']) {
      const bytes = execFileSync('tar', [`--format=${format}`, '-C', join(folder, 'in'), '-cf', '-', 'deep'])
      const read = await readAll(bytes)
      expect(read.at(-1)).toMatchObject({ header: { name, type: 'file', size: 5 }, content: 'hello' })
    }
  })

  it('that end in the middle of a file, or are none, are refused', async () => {
    const whole = archive([{ ...plain, name: 'a', type: 'file' }, 'x'.repeat(5000)])
    await expect(readAll(whole.subarray(0, 3000))).rejects.toThrow('the archive ends too early')
    await expect(readAll(Buffer.alloc(1024, 7))).rejects.toThrow('no tar archive')
  })
})

function withoutStored(header: TarHeader & { stored?: number }) {
  const { stored: _, ...rest } = header
  return rest
}
