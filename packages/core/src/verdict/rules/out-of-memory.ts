import type { Diagnosis, Fix } from '../diagnosis.js'
import type { About, Said } from './table.js'
import { evidenceOf } from './words.js'

const mebibyte = 1024 * 1024

/** It used more memory than it may. */
export function outOfMemory(said: Said, about: About): Diagnosis | undefined {
  if (said.reason !== 'OOMKilled') return undefined
  const { memoryBytes } = about.spec.resources.limits
  const limit = memoryBytes === undefined ? 'the host has' : `its limit of ${inMebibytes(memoryBytes)}`
  const fix = memoryBytes === undefined ? undefined : twice(memoryBytes, about.environment)
  return {
    code: 'out-of-memory',
    verdict: 'likely',
    confidence: 'certain',
    owner: 'configuration',
    message: `${said.instance} was ended because it used more memory than ${limit}`,
    evidence: { ...evidenceOf(said), ...(memoryBytes !== undefined && { limitBytes: memoryBytes }) },
    remedies: [
      { what: 'Give it more memory.', ...(fix && { fix }) },
      { what: 'Tell the application’s own memory manager the limit (heap size), or find what grows.' },
    ],
  }
}

function twice(bytes: number, environment: string): Fix {
  return { path: `environments.${environment}.resources.limits.memory`, value: inMebibytes(bytes * 2) }
}

function inMebibytes(bytes: number): string {
  return `${Math.ceil(bytes / mebibyte)}Mi`
}
