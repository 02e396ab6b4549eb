import type { Diagnosis } from '../diagnosis.js'
import type { About, Said } from './table.js'
import { evidenceOf, quoted, wordsOf } from './words.js'

const wrongArchitecture = /exec format error|no match(?:ing manifest)? for (?:platform|\S+\/)/i

/** The image is made for another kind of processor. */
export function architecture(said: Said, { image }: About): Diagnosis | undefined {
  if (!wrongArchitecture.test(wordsOf(said))) return undefined
  return isWrongArchitecture(said.instance, image.name, `: ${quoted(said)}`, evidenceOf(said))
}

/** The same, read in the instance's own output. */
export function architectureInOutput(lines: readonly string[], about: Pick<About, 'image'>): Diagnosis | undefined {
  const line = lines.find((one) => wrongArchitecture.test(one.slice(0, 1_000)))
  return line === undefined ? undefined : isWrongArchitecture('an instance', about.image.name, '', { line })
}

function isWrongArchitecture(
  instance: string,
  name: string,
  because: string,
  evidence: Diagnosis['evidence'],
): Diagnosis {
  return {
    code: 'wrong-architecture',
    verdict: 'fatal',
    confidence: 'certain',
    owner: 'dockerfile',
    message: `${instance} cannot run ${name}: it is made for another architecture${because}`,
    evidence,
    remedies: [
      { what: 'Build for the architecture of the host or node: set build.platform (linux/amd64, linux/arm64).' },
      {
        what: 'Where only one program in the image is at fault, look which file the Dockerfile copies or downloads ready-made.',
      },
    ],
  }
}
