import { createHash } from 'node:crypto'
import { lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fileHashes } from './file-hashes.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kiwi-hashes-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const status = (name: string) => lstatSync(join(folder, name), { bigint: true })

describe('hashes of files', () => {
  it('are kept for the next build, which does not read the file again', async () => {
    writeFileSync(join(folder, 'x'), 'content')
    const settled = status('x')
    await sleep(2100)
    const first = await fileHashes(join(folder, 'state'), folder)
    const known = await first.hash('x', settled)
    await first.save()
    rmSync(join(folder, 'x'))
    const second = await fileHashes(join(folder, 'state'), folder)
    expect(await second.hash('x', settled)).toBe(known)
    expect(() => second.hash('y', settled)).toThrow('ENOENT')
  })

  it('are not kept of a file that has only just changed: it may change again unseen', async () => {
    writeFileSync(join(folder, 'x'), 'content')
    const fresh = status('x')
    const first = await fileHashes(join(folder, 'state'), folder)
    await first.hash('x', fresh)
    await first.save()
    rmSync(join(folder, 'x'))
    const second = await fileHashes(join(folder, 'state'), folder)
    expect(() => second.hash('x', fresh)).toThrow('ENOENT')
  })

  it('are taken in a stream where files are large, and come out the same', async () => {
    const bytes = Buffer.alloc(3 * 1024 * 1024, 'kiwi')
    writeFileSync(join(folder, 'large'), bytes)
    const hashes = await fileHashes(join(folder, 'state'), folder)
    expect(await hashes.hash('large', status('large'))).toBe(createHash('sha256').update(bytes).digest('hex'))
  })
})
