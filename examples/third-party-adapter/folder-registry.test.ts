import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { registryKit } from '@kiwi/core/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { folderRegistry } from './folder-registry.ts'

const directory = mkdtempSync(join(tmpdir(), 'kiwi-folder-registry-'))
const damaged: string[] = []
afterAll(() => rmSync(directory, { recursive: true }))

describe('a registry in a folder', () => {
  for (const one of registryKit({ registry: () => folderRegistry({ directory }), damage })) it(one.name, one.run)

  it('was damaged where the kit asked for it', () => {
    expect(damaged).not.toEqual([])
  })

  it('takes a hundred lines at most', () => {
    const lines = readFileSync(join(import.meta.dirname, 'folder-registry.ts'), 'utf8')
      .trimEnd()
      .split('\n')
    expect(lines.length).toBeLessThanOrEqual(100)
  })
})

/** Overwrites the blob in whichever repository has it. */
async function damage(digest: string): Promise<void> {
  for (const path of globSync(join(directory, '*', 'blobs', ...digest.split(':')))) {
    writeFileSync(path, 'damaged')
    damaged.push(path)
  }
}
