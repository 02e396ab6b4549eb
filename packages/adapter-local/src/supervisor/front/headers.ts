import type { IncomingMessage } from 'node:http'

/** What concerns one connection only (RFC 9110, 7.6.1). */
const hopByHop = ['connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade']

/** The client's headers as they came, spelling and order kept, with the client's address added to X-Forwarded-For. */
export function requestHeaders(request: IncomingMessage): string[] {
  const dropped = [...hopByHop, ...namedByConnection(request), 'expect', 'x-forwarded-for']
  const known = request.headers['x-forwarded-for']
  const client = request.socket.remoteAddress ?? 'unknown'
  return [...kept(request, dropped), 'X-Forwarded-For', known === undefined ? client : `${known}, ${client}`]
}

export function responseHeaders(answer: IncomingMessage): string[] {
  return kept(answer, [...hopByHop, ...namedByConnection(answer), 'transfer-encoding'])
}

/** The headers of a request that asks for another protocol: all of them, as the question is meant for the application. */
export function upgradeHeaders(request: IncomingMessage): string[] {
  return kept(request, ['expect'])
}

export function kept(message: IncomingMessage, dropped: readonly string[]): string[] {
  const without = new Set(dropped)
  return message.rawHeaders.filter((_, index, all) => !without.has(all[index - (index % 2)]?.toLowerCase() ?? ''))
}

function namedByConnection(message: IncomingMessage): string[] {
  return (message.headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase())
}
