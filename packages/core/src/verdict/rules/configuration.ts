import type { Diagnosis } from '../diagnosis.js'
import type { About, Said } from './table.js'
import { evidenceOf, quoted } from './words.js'

/** Something that the instance was told to use is not there: a secret, a key, a volume. */
export function configuration(said: Said, _about: About): Diagnosis | undefined {
  if (said.reason !== 'CreateContainerConfigError') return undefined
  const loading = /failed to sync .{0,40} cache/i.test(said.message ?? '')
  return {
    code: 'configuration-missing',
    verdict: loading ? 'transient' : 'fatal',
    confidence: loading ? 'possible' : 'certain',
    owner: 'configuration',
    message: `${said.instance} lacks something that it was told to use: ${quoted(said)}`,
    evidence: evidenceOf(said),
    remedies: [
      { what: 'Make what is named, in the same namespace, with the key that is named.' },
      { what: 'Or take it out of env or volumes of the environment.' },
    ],
  }
}
