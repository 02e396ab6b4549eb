import type { Diagnosis, Remedy } from '../diagnosis.js'
import type { About, Said } from './table.js'
import { evidenceOf, quoted } from './words.js'

/** The application ran and ended, by itself or by a signal from outside. */
export function exit(said: Said, about: About): Diagnosis | undefined {
  const { exitCode, reason = '', phase } = said
  if (phase === 'creating' || (phase !== 'exited' && exitCode === undefined)) return undefined
  const times = about.ends > 1 ? ` (${about.ends} ends in all)` : ''
  const message = `${said.instance} ended: ${quoted(said)}${times}`
  const evidence = { ...evidenceOf(said), ends: about.ends }
  if (exitCode === 137 || exitCode === 143 || reason === 'SIGKILL' || reason === 'SIGTERM') {
    const remedies = killedRemedies(exitCode === 137 || reason === 'SIGKILL')
    return { ...likely, code: 'killed', confidence: 'possible', owner: 'platform', message, evidence, remedies }
  }
  const confidence = 'certain'
  return {
    ...likely,
    code: 'application-exits',
    confidence,
    owner: 'code',
    message,
    evidence,
    remedies: remediesFor(said),
  }
}

const likely = { verdict: 'likely' } as const

function killedRemedies(hard: boolean): Remedy[] {
  const memory = 'Look at the host’s or node’s log for an out-of-memory kill; a child process may have been the one.'
  const probe =
    'Look whether a liveness check ends it before it has started: allow more time, or make the check cheaper.'
  return [
    ...(hard ? [{ what: memory }] : []),
    { what: probe },
    { what: 'Look who stops instances on that host by hand.' },
  ]
}

function remediesFor({ exitCode, reason }: Said): Remedy[] {
  if (exitCode === 0)
    return [
      { what: 'A service must keep running in the foreground: do not let the command start a daemon and return.' },
      { what: 'Check that CMD starts the server, and not a build or a script that only prepares it.' },
    ]
  if (exitCode === 139 || reason === 'SIGSEGV')
    return [{ what: 'Look for native modules built for another architecture or C library, then for a fault in them.' }]
  if (exitCode === 134 || reason === 'SIGABRT')
    return [{ what: 'It gave up by itself: an assertion, or a heap limit of its own; the last output says which.' }]
  return [
    { what: 'Read its last output: the application’s own words say why.' },
    { what: 'Compare env with what it needs at start: a missing variable, or a database that is not reached.' },
  ]
}
