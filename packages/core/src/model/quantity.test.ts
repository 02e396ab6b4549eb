import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatCpu, formatMemory, parseCpu, parseMemory } from './quantity.js'

const refusal = expect.objectContaining({ code: 'INPUT_INVALID' })

describe('processor time', () => {
  it.each([
    ['100m', 100],
    ['0.5', 500],
    ['2', 2000],
    ['.25', 250],
    ['1.', 1000],
    ['+1', 1000],
    ['1500m', 1500],
    ['0', 0],
    ['1e3', 1_000_000],
    ['1E-3', 1],
    ['1k', 1_000_000],
    ['5000000u', 5000],
    ['1000000n', 1],
    ['1Ki', 1_024_000],
  ])('%s is %i thousandths of a core', (text, millis) => {
    expect(parseCpu(text)).toBe(millis)
  })

  it.each([
    '',
    ' ',
    '1 ',
    '-1',
    '1,5',
    'm',
    '.',
    '1.5.1',
    '0.0001',
    '1u',
    '1n',
    '100M1',
    '1mm',
    '1e',
    '1e400',
    '0x10',
    '1Kb',
    '１',
    'NaN',
    `${'9'.repeat(64)}`,
    `1${'0'.repeat(200)}`,
  ])('%j is refused', (text) => {
    expect(() => parseCpu(text)).toThrow(refusal)
  })

  it('comes back as it was written out', () => {
    fc.assert(fc.property(fc.nat(1_000_000_000), (millis) => parseCpu(formatCpu(millis)) === millis))
  })

  it('is written as Kubernetes writes it', () => {
    expect([100, 500, 1000, 1500, 2000].map(formatCpu)).toEqual(['100m', '500m', '1', '1500m', '2'])
  })
})

describe('memory', () => {
  it.each([
    ['128Mi', 134_217_728],
    ['1G', 1_000_000_000],
    ['512M', 512_000_000],
    ['1024', 1024],
    ['1.5Gi', 1_610_612_736],
    ['0.5Ki', 512],
    ['1e3', 1000],
    ['1E3', 1000],
    ['1E', undefined],
    ['0.001E', 1_000_000_000_000_000],
    ['128974848000m', 128_974_848],
    ['7Pi', 7_881_299_347_898_368],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('%s is %s bytes', (text, bytes) => {
    if (bytes === undefined) expect(() => parseMemory(text)).toThrow(refusal)
    else expect(parseMemory(text)).toBe(bytes)
  })

  it.each([
    '100m',
    '1.5',
    '0.1Ki',
    '8Pi',
    '1Ei',
    '-1Mi',
    '128MB',
    '128mi',
    '128 Mi',
    '128KI',
    'Mi',
    '1Mi1',
    '1e99',
    '9007199254740992',
  ])('%j is refused, saying what is allowed', (text) => {
    expect(() => parseMemory(text)).toThrow(/128Mi/)
    expect(() => parseMemory(text)).toThrow(refusal)
  })

  it('comes back as it was written out, in the shortest exact form', () => {
    const amounts = fc.oneof(
      fc.maxSafeNat(),
      fc
        .tuple(fc.nat(8000), fc.constantFrom(2 ** 10, 2 ** 20, 2 ** 30, 1e3, 1e6, 1e9))
        .map(([count, unit]) => count * unit),
    )
    fc.assert(
      fc.property(
        amounts,
        (bytes) => parseMemory(formatMemory(bytes)) === bytes && formatMemory(bytes).length <= `${bytes}`.length,
      ),
    )
    expect([0, 1000, 1024, 1536, 134_217_728, 1_000_000_000, 1_610_612_736].map(formatMemory)).toEqual([
      '0',
      '1k',
      '1Ki',
      '1536',
      '128Mi',
      '1G',
      '1536Mi',
    ])
  })

  it('never throws anything else, whatever it is given', () => {
    const refusedOrSafe = (parse: (text: string) => number, text: string) => {
      try {
        return Number.isSafeInteger(parse(text))
      } catch (error) {
        return (error as { code?: unknown }).code === 'INPUT_INVALID'
      }
    }
    const near = fc.stringMatching(/^[+-]?[0-9]{0,20}\.?[0-9]{0,20}([KMGTPE]i?|[numk]|[eE][+-]?[0-9]{1,4})?$/)
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), near),
        (text) => refusedOrSafe(parseCpu, text) && refusedOrSafe(parseMemory, text),
      ),
    )
  })

  it('does not repeat what it refuses, which may be a secret in the wrong place', () => {
    expect(() => parseMemory('hunter2')).toThrow(/^(?!.*hunter2)/)
  })
})
