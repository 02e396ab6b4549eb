import { KiwiError } from '../errors/kiwi-error.js'

/** Throws `INPUT_INVALID`, saying which names there are. */
export function named<T>(all: Readonly<Record<string, T>>, name: string, kind: string): T {
  const one = Object.hasOwn(all, name) ? all[name] : undefined
  if (one !== undefined) return one
  throw unknownName(kind, name, Object.keys(all))
}

export function unknownName(kind: string, name: string, names: readonly string[]): KiwiError {
  return new KiwiError('INPUT_INVALID', `there is no ${kind} '${name}'; there are: ${names.join(', ') || 'none'}`)
}
