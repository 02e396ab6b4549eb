import type { Json } from '../../contracts/v1/json.js'
import type { Said } from './table.js'

/** Reason and message together, for rules that look for words; so long that nothing is missed, so short that nothing takes long. */
export function wordsOf({ reason = '', message = '' }: Pick<Said, 'reason' | 'message'>): string {
  return `${reason} ${message}`.slice(0, 4_000)
}

/** What the platform said, as people read it. */
export function quoted({ phase, exitCode, reason, message }: Said): string {
  const parts = [exitCode === undefined ? phase : `exit code ${exitCode}`, reason, message]
  return parts.filter((part) => part !== undefined && part !== '').join(', ')
}

export function evidenceOf({ instance, phase, exitCode, reason, message }: Said): { readonly [key: string]: Json } {
  return {
    instance,
    phase,
    ...(exitCode !== undefined && { exitCode }),
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
  }
}
