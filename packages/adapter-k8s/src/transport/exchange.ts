import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'

export interface Exchange {
  readonly response: IncomingMessage
  /** The body as text; throws when it breaks off, or when nothing came for `silentMs`. */
  readonly chunks: AsyncIterable<string>
}

export interface ExchangeOptions {
  readonly method: string
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly contentType?: string
  readonly agent: Agent
  readonly headers: Readonly<Record<string, string>>
  /** From the connection to the first byte of the answer. */
  readonly answerMs: number
  readonly silentMs: number
}

/** No answer came. `sent` tells whether the server may have got the request. */
export class Unanswered extends Error {
  readonly sent: boolean

  constructor(cause: unknown, sent: boolean) {
    super(cause instanceof Error ? cause.message || cause.name : String(cause), { cause })
    this.sent = sent
  }
}

const connectWithinMs = 10_000

/** One request, one answer; no repetition of any kind. Rejects with `Unanswered`. */
export function exchange(server: URL, options: ExchangeOptions, signal: AbortSignal): Promise<Exchange> {
  const { method, path, query = {}, agent, answerMs, silentMs } = options
  const url = new URL(`${server.pathname.replace(/\/$/, '')}${path}`, server)
  url.search = new URLSearchParams(query).toString()
  const body = options.body === undefined ? undefined : JSON.stringify(options.body)
  const headers: Record<string, string> = { Accept: 'application/json', 'User-Agent': 'kiwi', ...options.headers }
  if (body !== undefined) {
    headers['Content-Type'] = options.contentType ?? 'application/json'
    headers['Content-Length'] = String(Buffer.byteLength(body))
  }
  return new Promise((resolve, reject) => {
    let sent = false
    const send = url.protocol === 'http:' ? httpRequest : httpsRequest
    const outgoing = send(url, { method, headers, agent, signal })
    const timer = deadline((after) => outgoing.destroy(new Error(after)))
    outgoing.once('socket', (socket: Socket) => {
      whenConnected(socket, url, () => {
        sent = true
        timer.set(answerMs, `no answer within ${answerMs / 1000} s`)
      })
    })
    outgoing.once('response', (response) => {
      timer.clear()
      resolve({ response, chunks: chunksOf(response, silentMs) })
    })
    outgoing.once('error', (error) => {
      timer.clear()
      reject(new Unanswered(error, sent))
    })
    timer.set(connectWithinMs, `no connection within ${connectWithinMs / 1000} s`)
    outgoing.end(body)
  })
}

export async function textOf({ chunks }: Exchange): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += chunk
  return text
}

function whenConnected(socket: Socket, url: URL, then: () => void): void {
  if (!socket.connecting) then()
  else socket.once(url.protocol === 'http:' ? 'connect' : 'secureConnect', then)
}

async function* chunksOf(response: IncomingMessage, silentMs: number): AsyncGenerator<string> {
  const timer = deadline((after) => response.destroy(new Error(after)))
  const expect = () => timer.set(silentMs, `nothing came for ${silentMs / 1000} s`)
  try {
    expect()
    for await (const chunk of response.setEncoding('utf8')) {
      timer.clear() // the reader may take its time
      yield chunk
      expect()
    }
  } catch (error) {
    throw new Unanswered(error, true)
  } finally {
    timer.clear()
  }
}

function deadline(end: (after: string) => void) {
  let timer: NodeJS.Timeout | undefined
  const clear = () => clearTimeout(timer)
  return {
    set(milliseconds: number, after: string) {
      clear()
      timer = setTimeout(() => end(after), milliseconds)
    },
    clear,
  }
}
