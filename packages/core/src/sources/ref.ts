import { KiwiError } from '../errors/kiwi-error.js'

/**
 * Checks a branch, tag or commit name before it comes near a process. The rules are those of `git check-ref-format`, no leading dash,
 * and nothing that a shell acts on: names travel on, into tags, build arguments and other people's scripts.
 * Throws `INPUT_INVALID`.
 */
export function checkRef(ref: string): string {
  const fault = faultOf(ref)
  if (fault === undefined) return ref
  throw new KiwiError('INPUT_INVALID', `the ref ${JSON.stringify(ref.slice(0, 80))} ${fault}`, {
    hint: 'Give the name of a branch, a tag or a commit.',
    evidence: { ref: ref.slice(0, 300) },
  })
}

/** Whether `checkRef` lets it pass. */
export function isRef(ref: string): boolean {
  return faultOf(ref) === undefined
}

/** Checks that it is a whole commit name. Throws `INPUT_INVALID`. */
export function checkCommit(commit: string): string {
  if (isFullCommit(commit)) return commit
  throw new KiwiError('INPUT_INVALID', `${JSON.stringify(commit.slice(0, 80))} is not a full commit SHA`)
}

/** 40 hex digits (SHA-1) or 64 (SHA-256), lower case. */
export function isFullCommit(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)
}

/** The shortest that git itself takes is 4 digits. */
export function isCommitPrefix(text: string): boolean {
  return /^[0-9a-f]{4,63}$/.test(text)
}

function faultOf(ref: string): string | undefined {
  if (ref === '') return 'is empty'
  if (ref.length > 250) return 'is longer than 250 characters'
  if (ref.startsWith('-')) return 'starts with a dash'
  if (hasControlCharacter(ref)) return 'has a control character in it'
  if (/[ ~^:?*[\\]/.test(ref)) return 'has a character in it that git does not allow in names'
  if (/[$`;|<>"]/.test(ref)) return 'has a character in it that a shell acts on'
  if (ref.includes('..') || ref.includes('@{') || ref === '@') return 'is an expression, not a name'
  if (ref.split('/').some((part) => part === '' || part.startsWith('.') || part.endsWith('.lock')) || ref.endsWith('.'))
    return 'is not a name that git allows'
  return undefined
}

/**
 * Also true of line and paragraph separators, of lone surrogates, and of what makes a text look like another one (right-to-left marks, zero-width
 * spaces); not of the two joiners that some scripts are written with.
 */
export function hasControlCharacter(text: string): boolean {
  return /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/u.test(text)
}
