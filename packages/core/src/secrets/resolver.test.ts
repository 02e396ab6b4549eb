import { afterEach, describe, expect, it, vi } from 'vitest'
import { createRedactor } from './redactor.js'
import { isSecretReference, secret } from './reference.js'
import { createSecretAccess } from './resolver.js'

afterEach(() => vi.unstubAllEnvs())

describe('secret access', () => {
  it('reads environment variables unless told otherwise, and lets the redactor know before anyone sees the value', async () => {
    vi.stubEnv('KIWI_TEST_SECRET', 'open-sesame')
    const redactor = createRedactor()
    const access = createSecretAccess({ redactor })
    const seen = await access(secret('KIWI_TEST_SECRET'), async (value) => redactor.text(`it is ${value}`))
    expect(seen).toBe('it is [redacted:KIWI_TEST_SECRET]')
  })

  it('gives the name and a signal to the resolver, and what `use` gives to the caller', async () => {
    const signal = new AbortController().signal
    const resolve = vi.fn(async () => 'open-sesame')
    const access = createSecretAccess({ redactor: createRedactor(), resolve, signal })
    expect(await access(secret('vault/web-token'), async (value) => value.length)).toBe(11)
    expect(resolve).toHaveBeenCalledWith('vault/web-token', signal)
  })

  it.each([undefined, '', ' \n'])(
    'rejects with SECRET_MISSING when the value is %j, and never calls `use`',
    async (value) => {
      const use = vi.fn(async () => 1)
      const access = createSecretAccess({ redactor: createRedactor(), resolve: () => value })
      await expect(access(secret('TOKEN'), use)).rejects.toMatchObject({
        code: 'SECRET_MISSING',
        evidence: { secret: 'TOKEN' },
        retryable: false,
      })
      expect(use).not.toHaveBeenCalled()
    },
  )

  it('rejects with a retryable SECRET_MISSING when the look-up itself fails', async () => {
    const resolve = () => Promise.reject(new Error('the vault is sealed'))
    const access = createSecretAccess({ redactor: createRedactor(), resolve })
    await expect(access(secret('TOKEN'), async () => 1)).rejects.toMatchObject({
      code: 'SECRET_MISSING',
      retryable: true,
    })
  })

  it('refuses a value that is too short to be redacted, without saying it', async () => {
    const access = createSecretAccess({ redactor: createRedactor(), resolve: () => 'q7' })
    const error = await access(secret('TOKEN'), async () => 1).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'INPUT_INVALID' })
    expect(JSON.stringify(error)).not.toContain('q7')
  })

  it('passes an error of `use` on as it is', async () => {
    const access = createSecretAccess({ redactor: createRedactor(), resolve: () => 'open-sesame' })
    const failure = new Error('not mine')
    await expect(access(secret('TOKEN'), () => Promise.reject(failure))).rejects.toBe(failure)
  })
})

describe('a secret reference', () => {
  it('is recognised after a way through JSON', () => {
    expect(isSecretReference(JSON.parse(JSON.stringify(secret('TOKEN'))))).toBe(true)
  })

  it.each([null, 'TOKEN', {}, { secret: 1 }, { secret: '' }, { secret: 'A', value: 'b' }, { secret: 'a b' }])(
    'is not %j',
    (value) => {
      expect(isSecretReference(value)).toBe(false)
    },
  )

  it.each(['', 'open sesame', '-x', 'a'.repeat(201), 'päss'])('cannot be named %j', (name) => {
    expect(() => secret(name)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
  })
})
