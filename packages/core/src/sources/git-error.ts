import type { ErrorCode } from '../errors/catalogue.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Redactor } from '../secrets/redactor.js'
import type { RepositoryAddress } from './url.js'

/** What is known about a failure from git's own words; the first that fits is taken. */
const meanings: readonly {
  readonly words: RegExp
  readonly hint: string
  readonly retryable?: boolean
  readonly code?: ErrorCode
}[] = [
  { words: /ENOENT.*git|spawn git/, code: 'TOOL_MISSING', hint: 'Install git 2.32 or newer, and have it in PATH.' },
  {
    words: /no space left on device|disk quota exceeded/i,
    code: 'DISK_FULL',
    hint: 'Free space where the sources are kept.',
  },
  {
    words: /redirect|returned error: 30\d/i,
    hint: 'The server sends git to another address. Give that address (often the same one ending in .git).',
    retryable: false,
  },
  {
    words: /authentication failed|could not read (username|password)|permission denied|returned error: 40[13]/i,
    hint: 'Access was refused: check the token (or SSH key) and that it may read this repository.',
    retryable: false,
  },
  {
    words: /not found|does not (exist|appear to be a git repository)|returned error: 404/i,
    hint: 'There is no such repository, or no right to see it: check the address and the token.',
    retryable: false,
  },
  {
    words: /host key verification failed/i,
    hint: 'Add the host’s key to known_hosts of the user Kiwi runs as.',
    retryable: false,
  },
]

/** Turns what simple-git threw into a `KiwiError`: `SOURCE_UNREACHABLE` unless git's words say more. */
export function gitError(
  thrown: unknown,
  { address, redactor }: { address: RepositoryAddress; redactor: Redactor },
): KiwiError {
  const words = redactor
    .text(thrown instanceof Error ? thrown.message : String(thrown))
    .trim()
    .slice(0, 4000)
  const meaning = meanings.find((candidate) => candidate.words.test(words))
  const lines = words.split('\n')
  const said = lines.find((line) => /^(fatal|error): /.test(line)) ?? lines[0] ?? ''
  return new KiwiError(meaning?.code ?? 'SOURCE_UNREACHABLE', `git could not read ${address.url}: ${said}`, {
    hint: meaning?.hint,
    retryable: meaning?.retryable,
    // The thrown error is not kept as the cause: its text is not redacted.
    evidence: { url: address.url, git: words },
  })
}

/** git's words in an error that `gitError` made. */
export function wordsOf(error: unknown): string {
  const evidence = KiwiError.is(error) ? error.evidence : undefined
  const words = typeof evidence === 'object' && evidence !== null && 'git' in evidence ? evidence.git : undefined
  return typeof words === 'string' ? words : ''
}
