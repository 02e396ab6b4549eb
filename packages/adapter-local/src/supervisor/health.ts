import { get } from 'node:http'
import { connect } from 'node:net'
import type { HealthCheck } from '@kiwi/core'

/** `host`: the address on which the application answered. */
export type Finding =
  | { readonly healthy: true; readonly host: string }
  | { readonly healthy: false; readonly problem: string; readonly refused: boolean }

/** An application on this machine may listen on either. */
export const loopback: readonly string[] = ['127.0.0.1', '::1']

/** One look at an application; the next address is tried where one refuses. Never rejects. */
export async function checkHealth(check: HealthCheck, port: number, hosts: readonly string[]): Promise<Finding> {
  let first: Finding | undefined
  for (const host of hosts) {
    const answer = await checkOn(check, host, port)
    if (answer.healthy || !answer.refused) return answer
    first ??= answer
  }
  return first ?? sick('it has no address')
}

function checkOn(check: HealthCheck, host: string, port: number): Promise<Finding> {
  return check.type === 'http' ? checkHttp(check, host, port) : checkTcp(check, host, port)
}

function checkHttp(check: HealthCheck, host: string, port: number): Promise<Finding> {
  const path = check.path ?? '/'
  const { promise, resolve } = Promise.withResolvers<Finding>()
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

function checkTcp(check: HealthCheck, host: string, port: number): Promise<Finding> {
  const { promise, resolve } = Promise.withResolvers<Finding>()
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

function sick(problem: string): Finding {
  return { healthy: false, problem, refused: false }
}

function failed(error: NodeJS.ErrnoException, what: string): Finding {
  const refused = error.code === 'ECONNREFUSED' || error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT'
  return { healthy: false, problem: refused ? `${what} was refused` : `${what} failed: ${error.message}`, refused }
}
