import { type Context, KiwiError, type SecretReference } from '@kiwi/core'
import { dockerConfigLogin } from './docker-config.js'
import { podmanLogin } from './podman-auth.js'

/** What a registry may be told about the user. */
export interface Login {
  /** `<token>` says, as docker's credential helpers do, that the password is an identity token: it is exchanged at the token server. */
  readonly username: string
  readonly password: string
}

type Provider = (host: string, context: Context) => Promise<Login | undefined>

export type CredentialOptions =
  | { readonly username: string; readonly password: SecretReference }
  /** Asked whenever a login is needed, so it may give one that lives for a short time; `undefined` is anonymous. */
  | { readonly provider: Provider }
  /** A file as podman writes it; `true`: `$REGISTRY_AUTH_FILE`, else where podman looks. */
  | { readonly podmanAuth: string | true }
  /** Default path: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. */
  | { readonly dockerConfig?: string | undefined }

/** Lends the login for the length of `use`; `undefined` where there is none for the host. The scopes say for which repository. */
export type Credentials = <T>(
  context: Context,
  use: (login: Login | undefined) => Promise<T>,
  scopes?: readonly string[],
) => Promise<T>

export function credentialsFor(host: string, options: CredentialOptions | undefined): Credentials {
  if (options === undefined) return (_context, use) => use(undefined)
  if ('password' in options) {
    const { username, password } = options
    return (context, use) => context.secret(password, (value) => use({ username, password: value }))
  }
  if ('provider' in options) return async (context, use) => use(await ask(options.provider, host, context))
  if ('podmanAuth' in options)
    return async (context, use, scopes) =>
      use(await podmanLogin(host, repositoryOf(scopes), options.podmanAuth, context.signal))
  return async (context, use, scopes) =>
    use(await dockerConfigLogin(host, options.dockerConfig, context.signal, repositoryOf(scopes)))
}

/** What it fails with is left out but for its name: it may hold what the provider was signed in with. */
async function ask(provider: Provider, host: string, context: Context): Promise<Login | undefined> {
  try {
    return await provider(host, context)
  } catch (error) {
    if (context.signal.aborted) throw context.signal.reason
    if (KiwiError.is(error)) throw error
    const name = error instanceof Error ? error.name : typeof error
    throw new KiwiError('REGISTRY_UNAUTHORIZED', `the provider of credentials for ${host} fails (${name})`, {
      retryable: true,
      hint: 'Look at what your provider function does; throw a KiwiError to have its own message told.',
      evidence: { host },
    })
  }
}

function repositoryOf(scopes: readonly string[] = []): string | undefined {
  return /^repository:(.+):[^:]*$/.exec(scopes[0] ?? '')?.[1]
}
