import type { Diagnosis } from '../diagnosis.js'
import type { About, Said } from './table.js'
import { evidenceOf, quoted, wordsOf } from './words.js'

const aboutPulling =
  /ErrImagePull|ImagePullBackOff|ErrImageNeverPull|InvalidImageName|ImageInspectError|RegistryUnavailable|SignatureValidationFailed/
const missing = /manifest unknown|not found|name unknown|no such image|InvalidImageName|ErrImageNeverPull/i
const denied = /unauthorized|denied|authentication required|no basic auth|forbidden|SignatureValidationFailed/i

/** The image cannot be brought to where it should run. Not there and not allowed stay so; everything else usually passes. */
export function image(said: Said, about: About): Diagnosis | undefined {
  if (said.phase !== 'creating' || !aboutPulling.test(wordsOf(said))) return undefined
  const { message = '' } = said
  const vague = /^Back-off pulling image/.test(message) && !/: \S/.test(message.replace(/"[^"]*"/g, ''))
  const words = vague ? '' : wordsOf(said)
  return pullProblem(words, about, { said: quoted(said), evidence: evidenceOf(said) })
}

/** The same for a sentence about a pull, wherever it was said. */
export function pullProblem(
  words: string,
  { image: { name } }: Pick<About, 'image'>,
  { said, evidence }: { readonly said: string; readonly evidence: Diagnosis['evidence'] },
): Diagnosis {
  if (missing.test(words.replace(/"[^"]*"/g, ''))) return imageMissing(name, said, evidence)
  return denied.test(words) ? imageDenied(name, said, evidence) : imageUnavailable(name, said, evidence)
}

export function imageMissing(name: string, said: string, evidence: Diagnosis['evidence']): Diagnosis {
  return {
    code: 'image-missing',
    verdict: 'fatal',
    confidence: 'certain',
    owner: 'registry',
    message: `the image ${name} is not where it should be pulled from: ${said}`,
    evidence,
    remedies: [
      { what: 'Look whether the registry’s clean-up has removed it; protect the digests of kept releases there.' },
      { what: 'Release the commit again: it is built and pushed anew.' },
      { what: 'Check that the runtime and Kiwi call the registry by the same address.' },
    ],
  }
}

export function imageDenied(name: string, said: string, evidence: Diagnosis['evidence']): Diagnosis {
  return {
    code: 'image-denied',
    verdict: 'fatal',
    confidence: 'probable',
    owner: 'registry',
    message: `the runtime may not pull ${name}: ${said}`,
    evidence,
    remedies: [
      { what: 'Check the credentials that the runtime pulls with, and that they belong to this registry’s host.' },
      {
        what: 'Give them the right to pull from this repository. Some registries answer the same for one that does not exist.',
      },
    ],
  }
}

export function imageUnavailable(name: string, said: string, evidence: Diagnosis['evidence']): Diagnosis {
  return {
    code: 'image-unavailable',
    verdict: 'transient',
    confidence: 'probable',
    owner: /x509|HTTP response to HTTPS|no such host/i.test(said) ? 'configuration' : 'registry',
    message: `${name} could not be pulled yet: ${said}`,
    evidence,
    remedies: [
      { what: 'Rate limit: sign in for a higher one, or pull from a mirror.' },
      { what: 'Otherwise check that the runtime’s host reaches the registry: name, port, proxy, certificate.' },
    ],
  }
}
