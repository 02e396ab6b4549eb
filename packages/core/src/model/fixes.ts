import { KiwiError } from '../errors/kiwi-error.js'
import type { Fix } from '../verdict/diagnosis.js'
import { parseServiceDefinition } from './schema.js'
import type { ServiceDefinition } from './service.js'

/**
 * The definition with these values set, checked again as a whole. Objects on the way that are not there are made
 * (`environments.production.health.path`); in lists, `triggers.0.cron` names what is there and one past it. The service's name stays.
 * Throws `INPUT_INVALID` for a path that leads nowhere and for a value that is not allowed there.
 */
export function applyFixes(definition: ServiceDefinition, fixes: readonly Fix[] = []): ServiceDefinition {
  if (fixes.length === 0) return definition
  const changed: object = structuredClone(definition)
  for (const { path, value } of fixes) set(changed, path, value)
  return parseServiceDefinition(changed)
}

function set(whole: object, path: string, value: unknown): void {
  const keys = typeof path === 'string' && path.length <= 1_000 ? path.split('.') : []
  const last = keys.pop()
  if (last === undefined || path === 'name') throw nowhere(path)
  const parent = keys.reduce((inside, key) => child(inside, key, path), whole)
  checkKey(parent, last, path)
  define(parent, last, value)
}

/** What lies under the key; a missing object is made. */
function child(parent: object, key: string, path: string): object {
  checkKey(parent, key, path)
  const found: unknown = Object.getOwnPropertyDescriptor(parent, key)?.value
  if (typeof found === 'object' && found !== null) return found
  if (found !== undefined) throw nowhere(path)
  const made = {}
  define(parent, key, made)
  return made
}

function checkKey(parent: object, key: string, path: string): void {
  if (key === '' || key === '__proto__') throw nowhere(path)
  if (Array.isArray(parent) && !(/^(?:0|[1-9]\d{0,3})$/.test(key) && Number(key) <= parent.length)) throw nowhere(path)
}

function define(parent: object, key: string, value: unknown): void {
  Object.defineProperty(parent, key, { value, writable: true, enumerable: true, configurable: true })
}

function nowhere(path: unknown): KiwiError {
  const shown = typeof path === 'string' ? JSON.stringify(path.slice(0, 200)) : typeof path
  return new KiwiError('INPUT_INVALID', `${shown} is no path of the service definition that can be set`, {
    hint: 'Give the keys with dots between them: environments.production.port.',
  })
}
