import { KiwiError } from '../errors/kiwi-error.js'

/** An image name taken apart. `host` is there only when the name says one (`host.tld/…`, `host:port/…`, `localhost/…`). */
export interface ImageReference {
  readonly host?: string | undefined
  readonly repository: string
  readonly tag?: string | undefined
  readonly digest?: string | undefined
}

const repositoryPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/
const digestPattern = /^sha256:[a-f0-9]{64}$/
const hostPattern = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[A-Fa-f0-9:]+\])(?::\d{1,5})?$/

/**
 * Takes `node:24-slim`, `localhost:5000/a/b@sha256:…` and the like apart (distribution/reference grammar).
 * Throws `IMAGE_REFERENCE_INVALID` naming the part that is wrong.
 */
export function parseReference(text: string): ImageReference {
  const [name, digest, ...more] = text.split('@')
  if (name === undefined || name === '' || more.length > 0) throw invalid(text, 'there is no name')
  if (digest !== undefined && !digestPattern.test(digest)) throw invalid(text, `'${digest}' is not a sha256 digest`)
  const slash = name.indexOf('/')
  const first = slash < 0 ? '' : name.slice(0, slash)
  const host = looksLikeHost(first) ? first : undefined
  if (host !== undefined && !isHost(host)) throw invalid(text, `'${host}' is not a host`)
  const [repository = '', tag, ...rest] = (host === undefined ? name : name.slice(slash + 1)).split(':')
  if (rest.length > 0 || !repositoryPattern.test(repository) || repository.length > 255) {
    throw invalid(text, `'${repository}' is not a repository name`)
  }
  if (tag !== undefined && !tagPattern.test(tag)) throw invalid(text, `'${tag}' is not a tag`)
  return { ...(host && { host }), repository, ...(tag && { tag }), ...(digest && { digest }) }
}

/**
 * Writes a reference as `parseReference` reads it. Throws `IMAGE_REFERENCE_INVALID` for parts that would be read as something else
 * (a repository whose first part looks like a host, where no host is given).
 */
export function formatReference({ host, repository, tag, digest }: ImageReference): string {
  const name = `${host === undefined ? '' : `${host}/`}${repository}`
  const text = `${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
  const read = parseReference(text)
  const isSame = read.host === host && read.repository === repository && read.tag === tag && read.digest === digest
  if (!isSame) throw invalid(text, 'it would be read as something else')
  return text
}

/** As docker tells a host from the first part of a path: a dot, a colon, or `localhost`. */
function looksLikeHost(part: string): boolean {
  return part.includes('.') || part.includes(':') || part === 'localhost'
}

function isHost(host: string): boolean {
  return hostPattern.test(host) && Number(/:(\d+)$/.exec(host)?.[1] ?? 1) <= 65_535
}

function invalid(text: string, why: string): KiwiError {
  const shown = shortened(text)
  const message = `'${shown}' is not an image reference: ${shortened(why)}`
  return new KiwiError('IMAGE_REFERENCE_INVALID', message, { evidence: { reference: shown } })
}

function shortened(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}
