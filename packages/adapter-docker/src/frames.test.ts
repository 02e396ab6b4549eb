import { expect, it } from 'vitest'
import { frameReader } from './frames.js'

const frame = (text: string) => {
  const body = Buffer.from(text)
  const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])
  header.writeUInt32BE(body.length, 4)
  return Buffer.concat([header, body])
}

it('puts frames together wherever they were cut', () => {
  const bytes = Buffer.concat([frame('grüße'), frame(''), frame('end')])
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const read = frameReader()
    const bodies = [...read(bytes.subarray(0, cut)), ...read(bytes.subarray(cut))]
    expect(bodies.map((body) => Buffer.from(body).toString())).toEqual(['grüße', '', 'end'])
  }
})
