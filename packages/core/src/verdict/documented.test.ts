import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { diagnosisCodes } from './diagnosis.js'

const page = readFileSync(new URL('../../../../docs/diagnoses.md', import.meta.url), 'utf8')
const sections = page.split(/^## /m).slice(1)
const headings = sections.map((section) => section.slice(0, section.indexOf('\n')).trim())

describe('docs/diagnoses.md', () => {
  it('has one section for each code, in alphabetical order, and none besides', () => {
    expect(headings).toEqual([...diagnosisCodes].sort())
  })

  it.each(sections.map((section, index) => [headings[index], section]))(
    'says of %s how it is seen and what to do',
    (_, section) => {
      expect(section).toContain('**Seen as**')
      expect(section).toContain('**What to do**')
    },
  )
})
