import type { Diagnosis, Remedy } from '../diagnosis.js'
import type { About, Said } from './table.js'
import { evidenceOf } from './words.js'

const refused = /refused|nothing accepts connections|nothing listens|L4CON/i
const slow =
  /did not (?:answer|accept) within|deadline exceeded|time(?:d )?out|not answered in time|takes too long|L[47]TOUT/i
const status = /(?:answered|status ?code:?|error status:?|returned code)\D{0,8}([1-5]\d\d)\b/i
const listensOn = /listen(?:s|ing)?\b.{0,60}?(?:port |:(?=\d{3}))(\d{2,5})\b/i
const says =
  /\b(?:listen(?:s|ing)?|running|started|serving|ready|available)\b.{0,80}?(?::(?=\d{3})|port[ =:]{1,3})(\d{2,5})\b/i

/** It runs, and its health check does not pass. */
export function health(said: Said, about: About): Diagnosis | undefined {
  const { phase, message = '' } = said
  if (phase !== 'running') return undefined
  if (refused.test(message)) return notListening(said, about, portIn(message, listensOn))
  const answered = status.exec(message)?.[1]
  if (answered !== undefined || /L7STS|L7RSP/.test(said.reason ?? ''))
    return unhealthy(said, about, Number(answered ?? 0))
  return slow.test(message) ? unhealthy(said, about, undefined) : undefined
}

/** The port that the application itself says it listens on, where it is another one. */
export function otherPortIn(lines: readonly string[], { port }: About['spec']): number | undefined {
  const ports = lines.map((line) => portIn(line.slice(0, 1_000), says)).filter((one) => one !== undefined)
  return ports.includes(port) ? undefined : ports.at(-1)
}

/** With the port it was found to listen on. */
export function withPort(
  diagnosis: Diagnosis,
  port: number,
  { environment, spec }: Pick<About, 'environment' | 'spec'>,
): Diagnosis {
  const fix = { path: `environments.${environment}.port`, value: port }
  const remedy = { what: `It says that it listens on port ${port}: tell that, instead of ${spec.port}.`, fix }
  const message = `${diagnosis.message}; it listens on port ${port} instead of ${spec.port}`
  return { ...diagnosis, confidence: 'probable', message, remedies: [remedy, ...diagnosis.remedies] }
}

function notListening(said: Said, about: About, other: number | undefined): Diagnosis {
  const { port } = about.spec
  const diagnosis: Diagnosis = {
    code: 'not-listening',
    verdict: 'transient',
    confidence: 'possible',
    owner: 'code',
    message: `${said.instance} runs, and nothing listens on port ${port}: ${said.message}`,
    evidence: { ...evidenceOf(said), port },
    remedies: [
      { what: 'Let the application listen on the port that the variable PORT tells.' },
      { what: 'Let it listen on all addresses (0.0.0.0), not only on localhost.' },
    ],
  }
  return other === undefined || other === port ? diagnosis : withPort(diagnosis, other, about)
}

/** `answered`: the status, 0 for one that was not told, nothing when there was no answer in time. */
function unhealthy(said: Said, { spec, environment }: About, answered: number | undefined): Diagnosis {
  const { path = '/' } = spec.health
  const configured = answered !== undefined && answered >= 400 && answered < 500
  return {
    code: 'unhealthy',
    verdict: 'transient',
    confidence: answered === undefined ? 'possible' : 'probable',
    owner: configured ? 'configuration' : 'code',
    message: `${said.instance} runs, and its health check does not pass: ${said.message ?? said.reason}`,
    evidence: { ...evidenceOf(said), path, ...(answered ? { status: answered } : {}) },
    remedies: remediesFor(answered, path, environment),
  }
}

function remediesFor(answered: number | undefined, path: string, environment: string): Remedy[] {
  const where = `environments.${environment}.health`
  if (answered === undefined)
    return [
      { what: `Find out what ${path} waits for: a database, a lock, another service.` },
      { what: `Or give the check more time with ${where}.timeoutMs.` },
    ]
  if (answered === 404) return [{ what: `There is nothing at ${path}: set ${where}.path to a page that exists.` }]
  if (answered === 401 || answered === 403)
    return [{ what: `Let ${path} answer without signing in, or set ${where}.path.` }]
  return [{ what: `Read the application’s output for the cause: it answered ${path} with an error.` }]
}

function portIn(text: string, pattern: RegExp): number | undefined {
  const port = Number(pattern.exec(text)?.[1] ?? 0)
  return port > 0 && port <= 65_535 ? port : undefined
}
