import type { SecretReference } from '../contracts/v1/context.js'
import { KiwiError } from '../errors/kiwi-error.js'

/**
 * Names a secret in a definition; the value is looked up when it is used and is never stored.
 * @example
 * { git: 'https://example.com/team/web.git', token: secret('GIT_TOKEN') }
 */
export function secret(name: string): SecretReference {
  if (!isSecretName(name))
    throw new KiwiError('INPUT_INVALID', 'a secret’s name has 1 to 200 letters, digits and . _ / -', {
      hint: 'Give the name of the secret, not its value.',
    })
  return { secret: name }
}

/** True of what `secret` made, also after a way through JSON. */
export function isSecretReference(value: unknown): value is SecretReference {
  if (typeof value !== 'object' || value === null || !('secret' in value)) return false
  return Object.keys(value).length === 1 && typeof value.secret === 'string' && isSecretName(value.secret)
}

function isSecretName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}$/.test(name)
}
