import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { catalogue } from '../packages/core/src/errors/catalogue.js'

const page = await readFile(new URL('../docs/errors.md', import.meta.url), 'utf8')
const sections = page.split(/^## /m).slice(1)
const headings = sections.map((section) => section.slice(0, section.indexOf('\n')).trim())

describe('docs/errors.md', () => {
  it('has one section for each code of the catalogue, in alphabetical order, and none besides', () => {
    expect(headings).toEqual(Object.keys(catalogue).sort())
  })

  it.each(sections.map((section, index) => [headings[index], section]))(
    'says of %s what causes it, what to do and what is left behind',
    (_, section) => {
      for (const part of ['**Typical causes**', '**What to do**', '**What is left behind**'])
        expect(section).toContain(part)
    },
  )
})
