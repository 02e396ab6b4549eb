import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { readWhereabouts } from '../supervisor/whereabouts.js'
import { isNobodyThere, lost, notStarted, refusal } from './errors.js'
import { lastWords, type Starting, startSupervisor } from './start.js'

const startWithinMs = 15_000
const pollMs = 10
const startAgainAfterMs = 150

export interface Call {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: unknown
  readonly signal: AbortSignal
}

/**
 * Asks the supervisor that owns the directory, and starts one first when there is none; it lives on when this process ends.
 * Rejects with what it refused, or with `RUNTIME_UNREACHABLE` (effect unknown when a write was under way).
 */
export async function ask<T>(directory: string, supervisorPath: string, call: Call): Promise<T> {
  const deadline = performance.now() + startWithinMs
  let starting: Starting | undefined
  for (;;) {
    const answer = await askIfThere<T>(directory, call)
    if (answer !== undefined) return answer.body
    if (starting?.failed !== undefined || performance.now() > deadline)
      throw notStarted(directory, lastWords(directory), starting?.failed)
    if (starting?.over) await sleep(startAgainAfterMs, undefined, { signal: call.signal }) // one that is about to end has the lock
    if (starting === undefined || starting.over) starting = startSupervisor(directory, supervisorPath)
    await sleep(pollMs, undefined, { signal: call.signal })
  }
}

/** Asks the supervisor; undefined when there is none, or one that is about to end. */
export async function askIfThere<T>(directory: string, call: Call): Promise<{ readonly body: T } | undefined> {
  call.signal.throwIfAborted()
  const found = readWhereabouts(directory)
  const answer = found && (await exchange(found.socket, call))
  if (answer === undefined || answer.status === 503) return undefined
  if (answer.status === 200) return { body: JSON.parse(answer.text) } // the other side is this package
  throw refusal(JSON.parse(answer.text))
}

interface Answer {
  readonly status: number
  readonly text: string
}

async function exchange(socketPath: string, { method, path, body, signal }: Call): Promise<Answer | undefined> {
  const request = httpRequest({ socketPath, method, path, agent: false, signal })
  request.end(body === undefined ? undefined : JSON.stringify(body))
  try {
    const [response] = await once(request, 'response')
    return { status: response.statusCode, text: await text(response) }
  } catch (error) {
    signal.throwIfAborted()
    if (isNobodyThere(error)) return undefined
    throw lost(method, error)
  }
}
