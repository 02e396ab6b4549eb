import { describe, expect, it } from 'vitest'
import { createRedactor } from '../secrets/redactor.js'
import { type LogLine, logLines } from './log-lines.js'

function collect() {
  const redactor = createRedactor()
  const lines: LogLine[] = []
  return {
    redactor,
    lines,
    log: logLines(redactor, (line) => lines.push(line)),
    texts: () => lines.map(({ text }) => text),
  }
}

describe('log lines', () => {
  it('are whole however the output was cut, in letters of several bytes too', () => {
    const { log, texts } = collect()
    for (const byte of Buffer.from('grün\r\nzwei\ndrei')) log.add(Uint8Array.of(byte), { stream: 'out' })
    log.end()
    expect(texts()).toEqual(['grün', 'zwei', 'drei'])
  })

  it('of different steps and streams do not mix', () => {
    const { log, lines } = collect()
    log.add(Buffer.from('one '), { stream: 'out', step: '1' })
    log.add(Buffer.from('two\n'), { stream: 'err', step: '1' })
    log.add(Buffer.from('more\n'), { stream: 'out', step: '1' })
    expect(lines).toEqual([
      { stream: 'err', step: '1', text: 'two' },
      { stream: 'out', step: '1', text: 'one more' },
    ])
  })

  it('show no secret that comes in pieces, or wraps over lines in base64', () => {
    const secret = 'correct horse battery staple, all of it and then some more of the same'
    const { log, redactor, texts } = collect()
    redactor.add(secret, 'PASSWORD')
    const wrapped = Buffer.from(secret).toString('base64').replace(/.{20}/g, '$&\n')
    for (const byte of Buffer.from(`a ${secret} b\n${wrapped}\nend`)) log.add(Uint8Array.of(byte), { stream: 'out' })
    log.end()
    expect(texts()[0]).toBe('a [redacted:PASSWORD] b')
    expect(texts().at(-1)).toBe('end')
    for (const line of wrapped.split('\n')) expect(texts()).not.toContain(line)
  })

  it('that are too long are cut, and say so', () => {
    const { log, lines } = collect()
    log.add(Buffer.from(`${'x'.repeat(20_000)}\n`), { stream: 'out' })
    expect(lines[0]).toMatchObject({ truncated: true })
    expect(lines[0]?.text.length).toBe(16 * 1024)
  })
})
