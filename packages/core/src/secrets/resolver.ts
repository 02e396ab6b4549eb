import type { Context, SecretReference } from '../contracts/v1/context.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Redactor } from './redactor.js'

/** Looks a secret's value up by name; undefined or empty when there is none. */
export type SecretResolver = (name: string, signal: AbortSignal) => Promise<string | undefined> | string | undefined

export interface SecretAccessOptions {
  /** Default: the environment variable of that name. */
  readonly resolve?: SecretResolver | undefined
  readonly redactor: Redactor
  /** Handed to `resolve`. Default: never fires. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Makes the `secret` function of a `Context`. The redactor knows the value before `use` sees it.
 * The function rejects with `SECRET_MISSING` where there is no value, and `INPUT_INVALID` where it is too short to be redacted.
 */
export function createSecretAccess({
  resolve = fromEnvironment,
  redactor,
  signal = new AbortController().signal,
}: SecretAccessOptions): Context['secret'] {
  return async (reference, use) => {
    const value = await lookUp(reference, resolve, signal)
    redactor.add(value, reference.secret)
    return use(value)
  }
}

function fromEnvironment(name: string): string | undefined {
  return process.env[name]
}

async function lookUp({ secret }: SecretReference, resolve: SecretResolver, signal: AbortSignal): Promise<string> {
  try {
    const value = await resolve(secret, signal)
    if (value !== undefined && value.trim() !== '') return value
  } catch (error) {
    if (KiwiError.is(error)) throw error
    throw new KiwiError('SECRET_MISSING', `the secret ${secret} could not be looked up`, {
      retryable: true,
      evidence: { secret },
      cause: error,
    })
  }
  throw new KiwiError('SECRET_MISSING', `the secret ${secret} has no value`, { evidence: { secret } })
}
