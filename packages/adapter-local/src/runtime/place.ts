import { join } from 'node:path'
import { KiwiError, type Target } from '@kiwi/core'

/** Where an environment's supervisor keeps what it knows. Throws `INPUT_INVALID` for names that are no plain file names. */
export function environmentDirectory(
  directory: string,
  { service, environment }: Pick<Target, 'service' | 'environment'>,
): string {
  return join(directory, 'environments', fileName('service', service), fileName('environment', environment))
}

/** `name`, when it can be the name of a file and nothing else. */
export function fileName(what: string, name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)) return name
  throw new KiwiError('INPUT_INVALID', `"${name}" cannot be the name of a ${what} of this runtime`, {
    hint: 'Use up to 128 letters, digits, dots, dashes and underscores, beginning with a letter or digit.',
  })
}
