import { dirname, sep } from 'node:path'
import { KiwiError } from '../errors/kiwi-error.js'
import { type RepositoryAddress, readRepositoryAddress, shellFaultOf } from './url.js'

/** Protocols that a repository may lead on to. A local path is reached by a relative address only, and ssh, which uses this machine's keys, only by who was given them. */
const leadsTo: Readonly<Record<RepositoryAddress['protocol'], readonly RepositoryAddress['protocol'][]>> = {
  https: ['https'],
  http: ['http', 'https'],
  ssh: ['ssh', 'https'],
  file: ['https', 'ssh'],
}

/**
 * Reads a submodule's address as the repository at `parent` gives it: absolute, or relative to the parent's. Throws `SUBMODULE_REFUSED`,
 * without repeating the address: it may hold a password.
 */
export function submoduleAddress(parent: RepositoryAddress, path: string, text: string): RepositoryAddress {
  if (text.startsWith('./') || text.startsWith('../')) return relativeAddress(parent, path, text)
  const address = throughParent(parent, read(path, text))
  if (leadsTo[parent.protocol].includes(address.protocol)) return address
  throw refusedSubmodule(
    path,
    `has an address with ${address.protocol} in a repository that is reached by ${parent.protocol}`,
  )
}

export function refusedSubmodule(path: string, fault: string, cause?: unknown): KiwiError {
  const shown = path.slice(0, 200)
  return new KiwiError('SUBMODULE_REFUSED', `the submodule ${JSON.stringify(shown)} ${fault}`, {
    evidence: { submodule: shown },
    cause,
  })
}

function read(path: string, text: string): RepositoryAddress {
  try {
    return readRepositoryAddress(text)
  } catch (error) {
    const { message } = KiwiError.from(error)
    throw refusedSubmodule(path, message.replace(/^the repository address/, 'has an address that'), error)
  }
}

/** `git@host:team/library` in a repository of the same host is asked for the way the repository itself is: there may be a token, and no key. */
function throughParent({ origin }: RepositoryAddress, address: RepositoryAddress): RepositoryAddress {
  if (origin === undefined || address.protocol !== 'ssh') return address
  const found = /^ssh:\/\/git@([^@:/]+)\/+([^:]+)$/.exec(address.url) ?? /^git@([^@:/]+):\/*([^:]+)$/.exec(address.url)
  const [, host, path] = found ?? []
  if (path === undefined || host?.toLowerCase() !== new URL(origin).hostname) return address
  return readRepositoryAddress(`${origin}${path}`)
}

function relativeAddress(parent: RepositoryAddress, path: string, text: string): RepositoryAddress {
  const fault = shellFaultOf(text)
  if (fault !== undefined) throw refusedSubmodule(path, `has an address that ${fault}`)
  const { start, folders } = partsOf(parent)
  let rest = text
  for (;;) {
    if (rest.startsWith('./')) rest = rest.slice(2)
    else if (rest.startsWith('../')) {
      rest = rest.slice(3)
      if (folders.pop() === undefined) throw refusedSubmodule(path, 'has an address that leads above its host')
    } else break
  }
  const names = rest.replace(/\/+$/, '').split('/')
  if (names.some((name) => /^(?:\.|%2e)*$/i.test(name)))
    throw refusedSubmodule(path, 'has a relative address with empty or dot parts in it')
  const address = read(path, start + [...folders, ...names].join('/'))
  if (address.protocol === 'file' && !address.url.startsWith(besides(parent.url)))
    throw refusedSubmodule(path, 'has an address outside the folder its repository is in')
  return address
}

/** The part that no `../` may touch, and the rest. */
function partsOf({ url }: RepositoryAddress): { start: string; folders: string[] } {
  const [, start = '', rest = ''] = /^([a-z]+:\/\/[^/]*\/|[^/]*:\/?|\/)(.*)$/.exec(url) ?? []
  return { start, folders: rest.split('/').filter((folder) => folder !== '') }
}

function besides(directory: string): string {
  const parent = dirname(directory)
  return parent === sep ? sep : parent + sep
}
