import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { logsOf, openLog, pruneLogs, readTail } from './log-file.js'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-log-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

describe('a log', () => {
  it('keeps the last lines, also over a rotation and the end of its writer', () => {
    const file = join(directory, 'a-1.log')
    for (const part of [1, 2]) {
      using log = openLog(file, 80)
      for (const line of [1, 2, 3]) log.write(Buffer.from(`part ${part} line ${line}\n`), 'out')
    }
    expect(readdirSync(directory).sort()).toEqual(['a-1.log', 'a-1.log.1'])
    expect(readTail(file).slice(-3)).toEqual(['part 2 line 1', 'part 2 line 2', 'part 2 line 3'])
  })

  it('keeps the lines of both streams whole, however they came, and ends those of a writer that has ended', () => {
    const file = join(directory, 'a-1.log')
    using log = openLog(file)
    log.write(Buffer.from('ready '), 'out')
    log.write(Buffer.from('careful\r\n'), 'err')
    const euro = Buffer.from('to go for 1 €\nnow')
    log.write(euro.subarray(0, -6), 'out')
    log.write(euro.subarray(-6), 'out')
    expect(readTail(file)).toEqual(['careful', 'ready to go for 1 €', 'now'])
    log.endLines()
    log.write(Buffer.from('again\n'), 'out')
    expect(readTail(file).slice(-2)).toEqual(['now', 'again'])
  })

  it('has no more lines than a person reads', () => {
    const file = join(directory, 'a-1.log')
    writeFileSync(file, 'x\n'.repeat(1000))
    expect(readTail(file)).toHaveLength(60)
    expect(readTail(join(directory, 'none.log'))).toEqual([])
  })

  it('belongs to one slot, whatever the names of others', () => {
    for (const name of ['a-1.log', 'a-2.log', 'a-1.log.1', 'a-b-1.log', 'ab-1.log'])
      writeFileSync(join(directory, name), '')
    expect(logsOf(directory, 'a')).toEqual(['a-1.log', 'a-2.log'])
  })

  it('goes when there are forty younger ones', () => {
    for (let number = 0; number < 45; number += 1) {
      const file = join(directory, `a-${number}.log`)
      writeFileSync(file, '')
      utimesSync(file, number, number)
    }
    pruneLogs(directory)
    expect(readdirSync(directory)).toHaveLength(40)
    expect(readdirSync(directory)).not.toContain('a-4.log')
  })
})
