import { KiwiError } from '../errors/kiwi-error.js'

/** A failed file operation on someone's directory; a full disk keeps its own code. */
export function fileError(thrown: unknown, path: string): KiwiError {
  if (KiwiError.is(thrown)) return thrown
  const code = codeOf(thrown)
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new KiwiError('DISK_FULL', `there is no space left to copy ${path}`, { cause: thrown })
  return new KiwiError('SOURCE_UNREACHABLE', `${path} cannot be read (${code ?? 'no reason given'})`, {
    hint: 'Check that it exists and that the user Kiwi runs as may read it.',
    retryable: false,
    evidence: { path, ...(code !== undefined && { code }) },
    cause: thrown,
  })
}

/** `ENOENT` and the like. */
export function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
}
