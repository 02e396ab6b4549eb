import { KiwiError } from '@kiwi/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defaultPath } from './draft.js'
import { type Bench, bench } from './testing.js'

let at: Bench
beforeEach(() => {
  at = bench()
})
afterEach(() => at[Symbol.dispose]())

const configOf = async (dockerfile: string) => (await at.build(dockerfile)).config

async function refusal(dockerfile: string): Promise<KiwiError> {
  return at.build(dockerfile).then(() => {
    throw new Error('it was built')
  }, KiwiError.from)
}

describe('the configuration', () => {
  it('names each port of a range once', async () => {
    const { config } = await configOf('FROM scratch\nARG P=90\nEXPOSE 80 $P-92/udp 80/TCP 5/sctp')
    expect(Object.keys(config.ExposedPorts ?? {})).toEqual(['80/tcp', '90/udp', '91/udp', '92/udp', '5/sctp'])
  })

  it.each(['http', '80801', '1-70000', '9-8', '80/icmp', '-5', '80/', '80-90-91'])(
    'refuses EXPOSE %s with its line',
    async (word) => {
      expect(await refusal(`FROM scratch\nEXPOSE ${word}`)).toMatchObject({
        code: 'DOCKERFILE_SYNTAX',
        message: expect.stringContaining(`EXPOSE ${word}`),
        evidence: { line: 2 },
      })
    },
  )

  it.each(['SIGTERM', 'term', '9', 'SIGRTMIN+3', 'RTMAX-1'])('takes the signal %s as it is written', async (word) => {
    expect((await configOf(`FROM scratch\nSTOPSIGNAL ${word}`)).config.StopSignal).toBe(word)
  })

  it.each(['NEVER', '0', 'SIGRTMIN+99', 'toString'])('refuses the signal %s', async (word) => {
    expect(await refusal(`FROM scratch\nARG S=${word}\nSTOPSIGNAL $S`)).toMatchObject({
      code: 'DOCKERFILE_SYNTAX',
      evidence: { line: 3 },
    })
  })

  it('has the author, also of the stage below', async () => {
    const config = await configOf('FROM scratch AS one\nMAINTAINER Ana <ana@example.org>\nFROM one\nENV A=1')
    expect(config.author).toBe('Ana <ana@example.org>')
  })

  it('has a PATH where the image has none, and never a second one', async () => {
    expect((await configOf('FROM scratch\nENV A=1')).config.Env).toEqual([`PATH=${defaultPath}`, 'A=1'])
    expect((await configOf('FROM scratch\nENV PATH=/x')).config.Env).toEqual(['PATH=/x'])
    await at.base('base', [], { Env: ['A=1', 'PATH=/bin'] })
    expect((await configOf('FROM base')).config.Env).toEqual(['A=1', 'PATH=/bin'])
  })

  it('has a health check that the runtime gives to its own shell, whatever SHELL says', async () => {
    const { config } = await configOf('FROM scratch\nSHELL ["/bin/ash", "-c"]\nHEALTHCHECK CMD test -f /x')
    expect(config.Healthcheck?.Test).toEqual(['CMD-SHELL', 'test -f /x'])
  })
})

describe('the history', () => {
  it('tells each ARG, with its default and never with what was given', async () => {
    const built = await at.build('FROM scratch\nARG A=1 B\nENV C=$B', { args: { A: 'hidden', B: 'hidden' } })
    const told = built.config.history?.map(({ created_by: text, empty_layer: empty }) => [text, empty])
    expect(told).toEqual([
      ['ARG A=1 B', true],
      ['ENV C=$B', true],
    ])
  })
})
