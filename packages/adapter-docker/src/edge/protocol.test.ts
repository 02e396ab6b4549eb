import { expect, it } from 'vitest'
import { commandLine, parseAnswer } from './protocol.js'

const note = { release: 'r 1', digest: 'sha256:0', spec: 'abc' }
const lane = { number: 2, slot: 'b', kind: 'quick', port: 3000, path: '/a;b c', seats: [], note } as const

it('writes a command as one line of plain words', () => {
  const line = commandLine({ type: 'lane', token: 7, seq: 4, lane })
  expect(line).toMatch(/^kiwi lane 7 4 2 b quick 3000 %2Fa%3Bb%20c - %7B\S+$/)
  expect(commandLine({ type: 'switch', token: 7, seq: 4, from: [], to: ['b', 'a'] })).toBe('kiwi switch 7 4 - a,b')
  expect(commandLine({ type: 'scale', token: 7, seq: 4, slot: 'b', seats: [1, 3] })).toBe('kiwi scale 7 4 b 1,3')
  expect(commandLine({ type: 'touch', token: 7, seq: 4 })).toBe('kiwi touch 7 4')
})

const publish = { protocol: 'http', address: '127.0.0.1', port: 80 }
const shown = [
  'token 7',
  'seq 4',
  `edge 1 ${encodeURIComponent(JSON.stringify(publish))}`,
  'route a b',
  `lane 2 b 3 quick 3000 %2Fhealth 1,3 ${encodeURIComponent(JSON.stringify(note))}`,
  'server 2 1 UP L7OK ',
  'server 2 2 DOWN L4CON Connection refused',
  'draining 3',
  'end',
]

it('reads what the edge shows', () => {
  expect(parseAnswer(['ok', ...shown, ''].join('\n'), 'show')).toEqual({
    token: 7,
    seq: 4,
    generation: 1,
    publish,
    route: ['a', 'b'],
    lanes: [{ number: 2, slot: 'b', generation: 3, kind: 'quick', port: 3000, path: '/health', seats: [1, 3], note }],
    servers: [
      { lane: 2, index: 1, up: true, check: 'L7OK', message: '' },
      { lane: 2, index: 2, up: false, check: 'L4CON', message: 'Connection refused' },
    ],
    draining: 3,
  })
})

it('reads an edge that was just made', () => {
  const fresh = ['ok', 'token 0', 'seq 0', 'edge 0 -', 'route ', 'draining 0', 'end'].join('\n')
  expect(parseAnswer(fresh, 'show')).toMatchObject({ token: 0, publish: undefined, route: [], lanes: [], draining: 0 })
})

it.each([
  ['fenced 9', { code: 'FENCED', effect: 'none' }],
  ['conflict slot a is routed', { code: 'CONFLICT', effect: 'none' }],
  ['failed no space left', { code: 'RUNTIME_FAILED', effect: 'none' }],
])('throws where the edge refused: %s', (first, error) => {
  expect(() => parseAnswer([first, ...shown].join('\n'), 'drop')).toThrow(expect.objectContaining(error))
})

it('does not know whether a write took effect whose answer was cut off', () => {
  const cut = ['ok', ...shown.slice(0, 4)].join('\n')
  expect(() => parseAnswer(cut, 'drop')).toThrow(expect.objectContaining({ effect: 'unknown' }))
  expect(() => parseAnswer(cut, 'show')).toThrow(expect.objectContaining({ effect: 'none' }))
})
