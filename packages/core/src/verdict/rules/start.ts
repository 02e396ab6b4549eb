import type { Diagnosis } from '../diagnosis.js'
import type { About, Said } from './table.js'
import { evidenceOf, quoted, wordsOf } from './words.js'

const never = /^(?:start-failed|RunContainerError|StartError|ContainerCannotRun)$/
const notYet = /^(?:CreateContainerError|PostStartHookError)$/
const commandMissing = /no such file or directory|executable file not found|failed to execute|command not found/i

/** The application's own program was never reached. */
export function start(said: Said, about: About): Diagnosis | undefined {
  const { reason = '', exitCode, phase } = said
  const shell = phase !== 'creating' && (exitCode === 126 || exitCode === 127)
  if (!never.test(reason) && !notYet.test(reason) && !shell) return undefined
  const absent = exitCode === 127 || commandMissing.test(wordsOf(said))
  return {
    code: 'cannot-start',
    verdict: never.test(reason) ? 'fatal' : shell ? 'likely' : 'transient',
    confidence: never.test(reason) ? 'certain' : 'probable',
    owner: absent || exitCode === 126 ? 'dockerfile' : 'platform',
    message: `${said.instance} could not be started: ${quoted(said)}`,
    evidence: evidenceOf(said),
    remedies: remediesFor(absent, exitCode === 126, about),
  }
}

function remediesFor(absent: boolean, forbidden: boolean, { spec, environment }: About): Diagnosis['remedies'] {
  if (forbidden) return [{ what: 'Make the program executable in the Dockerfile (chmod +x), and check who USER is.' }]
  if (!absent)
    return [{ what: 'Read the platform’s words: a mount, a name, a right or a setting of the host is in the way.' }]
  const where =
    spec.command || spec.entrypoint ? `environments.${environment}.command and entrypoint` : 'CMD and ENTRYPOINT'
  return [
    { what: `Check ${where}: the program must be in the image, by its full path or in PATH.` },
    { what: 'A script needs a first line that names an interpreter which the image has, and no Windows line ends.' },
    { what: 'A program linked against another C library (glibc on Alpine) is reported as missing, too.' },
  ]
}
