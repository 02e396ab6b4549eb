import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { builderKit } from '@kiwi/core/testing'
import { afterAll, describe, it } from 'vitest'
import { localBuilder } from './local-builder.js'

const directory = mkdtempSync(join(tmpdir(), 'kiwi-builder-kit-'))
afterAll(() => rmSync(directory, { recursive: true }))

describe('the local builder', () => {
  const builder = localBuilder({ directory, isolation: 'none' })
  const failing = [
    { dockerfile: 'FROM scratch\nCOPY nothing-of-that-name /\n', code: 'CONTEXT_INVALID' },
    { dockerfile: 'FROM nowhere/at-all:1\n', code: 'BASE_IMAGE_MISSING' },
    { dockerfile: 'FROM scratch\nCPOY a b\n', code: 'DOCKERFILE_SYNTAX' },
  ] as const
  const unfit = 'FROM scratch\nADD https://127.0.0.1/x /x\n'
  for (const one of builderKit({ builder: () => builder, failing, unfit })) it(one.name, one.run)
})
