import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { connect } from 'node:net'

const timeoutMs = 3000

/**
 * Does a Docker-compatible engine answer there?
 * @param {string} host `unix:///run/docker.sock` or `tcp://127.0.0.1:2375`
 */
export async function engineAnswers(host) {
  const socketPath = host.startsWith('unix://') ? host.slice('unix://'.length) : undefined
  const url = socketPath ? 'http://engine/_ping' : `${host.replace(/^tcp:/, 'http:')}/_ping`
  return (await statusOf(url, socketPath)) === 200
}

/**
 * The status of a GET, or undefined where nobody answers. Certificates are not checked: this only asks who is there.
 * @param {string} url
 * @param {string} [socketPath]
 * @returns {Promise<number | undefined>}
 */
export function statusOf(url, socketPath) {
  return new Promise((resolve) => {
    const request = url.startsWith('https:') ? requestHttps : requestHttp
    const options = { timeout: timeoutMs, rejectUnauthorized: false, ...(socketPath ? { socketPath } : {}) }
    const sent = request(url, options, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    sent.on('timeout', () => sent.destroy())
    sent.on('error', () => resolve(undefined))
    sent.end()
  })
}

/**
 * @param {string} host
 * @param {number} port
 * @returns {Promise<boolean>}
 */
export function accepts(host, port) {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs })
    const end = (/** @type {boolean} */ answer) => {
      socket.destroy()
      resolve(answer)
    }
    socket
      .on('connect', () => end(true))
      .on('error', () => end(false))
      .on('timeout', () => end(false))
  })
}
