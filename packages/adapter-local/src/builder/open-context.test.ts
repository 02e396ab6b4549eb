import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { bench } from './testing.js'

describe('the ignore file', () => {
  it.each(['.dockerignore', 'Dockerfile.dockerignore'])(
    '%s is not read through a link out of the source',
    async (name) => {
      using at = bench()
      at.write({ a: '', b: '' })
      writeFileSync(join(at.directory, 'outside'), 'a')
      symlinkSync('../outside', join(at.directory, 'context', name))
      await expect(at.build('FROM scratch\nCOPY [ab] /')).rejects.toMatchObject({
        code: 'CONTEXT_INVALID',
        message: `the ignore file ${name} is not in the source`,
      })
    },
  )

  it('is read through a link that stays in the source', async () => {
    using at = bench()
    at.write({ a: '', b: '', rules: 'a' })
    symlinkSync('rules', join(at.directory, 'context/.dockerignore'))
    expect(Object.keys((await at.build('FROM scratch\nCOPY [ab] /')).tree())).toEqual(['b'])
  })

  it('may begin with a byte order mark, end its lines as Windows does, and have spaces after them', async () => {
    using at = bench()
    at.write({ a: '', b: '', c: '', '.dockerignore': '\ufeffa  \r\nc\r\n!c \r\n' })
    expect(Object.keys((await at.build('FROM scratch\nCOPY [abc] /')).tree())).toEqual(['b', 'c'])
  })
})
