import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Login } from './credentials.js'
import { loginInFile } from './docker-config.js'
import { isDockerHub } from './endpoint.js'

/**
 * Looks a login up as podman, buildah and skopeo do: the entry for the repository, for what it lies under, for the host.
 * `path` is `true` for the usual places: `$REGISTRY_AUTH_FILE`, else `$XDG_RUNTIME_DIR/containers/auth.json`, then `~/.config/containers/auth.json`.
 * Rejects with `INPUT_INVALID` when a file that was named cannot be read, or is not JSON.
 */
export async function podmanLogin(
  host: string,
  repository: string | undefined,
  path: string | true,
  signal: AbortSignal,
): Promise<Login | undefined> {
  const keys = keysOf(host, repository)
  const named = path === true ? process.env.REGISTRY_AUTH_FILE : path
  if (named) return loginInFile({ file: named, wanted: true, keys }, signal)
  for (const file of usualFiles()) {
    const login = await loginInFile({ file, wanted: false, keys }, signal)
    if (login) return login
  }
  return undefined
}

function usualFiles(): readonly string[] {
  const { XDG_RUNTIME_DIR: runtime, XDG_CONFIG_HOME: configuration } = process.env
  const directories = [...(runtime ? [runtime] : []), configuration || join(homedir(), '.config')]
  return directories.map((directory) => join(directory, 'containers', 'auth.json'))
}

/** `host/team/web`, `host/team`, `host`: the most specific first (containers-auth.json(5)). */
function keysOf(host: string, repository: string | undefined): readonly string[] {
  const name = isDockerHub(host) ? 'docker.io' : host
  const parts = repository?.split('/') ?? []
  const scoped = parts.map((_, index) => [name, ...parts.slice(0, parts.length - index)].join('/'))
  return [...scoped, name, ...(name === 'docker.io' ? ['https://index.docker.io/v1/'] : [`https://${name}`])]
}
