import type { Diagnosis, Remedy } from '../diagnosis.js'
import type { About, Said } from './table.js'
import { evidenceOf, quoted, wordsOf } from './words.js'

/** No place was found for the instance yet. */
export function schedule(said: Said, about: About): Diagnosis | undefined {
  const words = wordsOf(said)
  if (said.phase !== 'creating' || !/Unschedulable|SchedulingGated|nodes are available|exceeded quota/i.test(words))
    return undefined
  return {
    code: 'not-scheduled',
    verdict: 'transient',
    confidence: 'certain',
    owner: 'platform',
    message: `there is no place for ${said.instance}: ${quoted(said)}`,
    evidence: evidenceOf(said),
    remedies: remediesFor(words, about),
  }
}

function remediesFor(words: string, { environment }: About): Remedy[] {
  const requests = `environments.${environment}.resources.requests`
  const clauses: readonly (readonly [RegExp, string])[] = [
    [/insufficient (?:cpu|memory)/i, `Lower ${requests}, or add a node; an autoscaler does that by itself.`],
    [
      /exceeded quota/i,
      `Raise the namespace’s quota, or lower ${requests}: a strategy may need room for more than replicas.`,
    ],
    [/untolerated taint/i, 'Remove the taint named, or use nodes without it.'],
    [/affinity|selector/i, 'Label a node as asked, or ask for less.'],
    [/PersistentVolumeClaim|volume/i, 'Look why the volume named is not bound, and on which node it lies.'],
    [/ports?\b/i, 'The port is taken on every node: do not publish it on the host.'],
  ]
  const found = clauses.filter(([clause]) => clause.test(words)).map(([, what]) => ({ what }))
  return found.length > 0 ? found : [{ what: 'Look what the platform’s nodes have to spare.' }]
}
