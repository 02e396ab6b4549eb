import type { Context, SecretReference } from '@kiwi/core'
import { dockerConfigLogin } from './docker-config.js'

/** What a registry may be told about the user. */
export interface Login {
  readonly username: string
  readonly password: string
}

export type CredentialOptions =
  | { readonly username: string; readonly password: SecretReference }
  /** Default path: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. */
  | { readonly dockerConfig?: string | undefined }

/** Lends the login for the length of `use`; `undefined` where there is none for the host. */
export type Credentials = <T>(context: Context, use: (login: Login | undefined) => Promise<T>) => Promise<T>

export function credentialsFor(host: string, options: CredentialOptions | undefined): Credentials {
  if (options === undefined) return (_context, use) => use(undefined)
  if ('password' in options) {
    const { username, password } = options
    return (context, use) => context.secret(password, (value) => use({ username, password: value }))
  }
  return async (context, use) => use(await dockerConfigLogin(host, options.dockerConfig, context.signal))
}
