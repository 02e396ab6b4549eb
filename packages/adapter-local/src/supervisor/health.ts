import { get } from 'node:http'
import { connect } from 'node:net'
import type { HealthCheck } from '@kiwi/core'

/** `host`: the loopback address on which the application answered. */
export type Finding =
  | { readonly healthy: true; readonly host: string }
  | { readonly healthy: false; readonly problem: string }

/** One look at an application on this machine; it may listen on either loopback address. Never rejects. */
export async function checkHealth(check: HealthCheck, port: number): Promise<Finding> {
  const first = await checkOn(check, '127.0.0.1', port)
  if (first.healthy || !first.refused) return first
  const second = await checkOn(check, '::1', port)
  return second.healthy || !second.refused ? second : first
}

type Answer = Finding & { readonly refused?: boolean }

function checkOn(check: HealthCheck, host: string, port: number): Promise<Answer> {
  return check.type === 'http' ? checkHttp(check, host, port) : checkTcp(check, host, port)
}

function checkHttp(check: HealthCheck, host: string, port: number): Promise<Answer> {
  const path = check.path ?? '/'
  const { promise, resolve } = Promise.withResolvers<Answer>()
  const request = get({ host, port, path, agent: false, headers: { 'user-agent': 'kiwi-health' } }, (response) => {
    const status = response.statusCode ?? 0
    resolve(status < 400 ? { healthy: true, host } : sick(`GET ${path} answered ${status}`))
    response.resume()
  })
  const timer = setTimeout(() => {
    resolve(sick(`GET ${path} did not answer within ${check.timeoutMs} ms`))
    request.destroy()
  }, check.timeoutMs)
  request.on('error', (error: NodeJS.ErrnoException) => resolve(failed(error, `GET ${path}`)))
  request.on('close', () => clearTimeout(timer))
  return promise
}

function checkTcp(check: HealthCheck, host: string, port: number): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>()
  const socket = connect({ host, port })
  const timer = setTimeout(
    () => resolve(sick(`port ${port} did not accept within ${check.timeoutMs} ms`)),
    check.timeoutMs,
  )
  socket.on('connect', () => resolve({ healthy: true, host }))
  socket.on('error', (error: NodeJS.ErrnoException) => resolve(failed(error, `a connection to port ${port}`)))
  return promise.finally(() => {
    clearTimeout(timer)
    socket.destroy()
  })
}

function sick(problem: string): Answer {
  return { healthy: false, problem }
}

function failed(error: NodeJS.ErrnoException, what: string): Answer {
  const refused = error.code === 'ECONNREFUSED' || error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT'
  return { ...sick(refused ? `${what} was refused` : `${what} failed: ${error.message}`), refused }
}
