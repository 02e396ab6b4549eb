import { createServer, request } from 'node:http'

/**
 * Passes everything on to the registry, and counts: requests, and bytes of their bodies but for manifests.
 * @typedef {{ requests: number, blobBytes: number, host: string, close(): void }} CountingProxy
 * @param {string} upstream
 * @returns {Promise<CountingProxy>}
 */
export async function countingProxy(upstream) {
  const [hostname, port] = upstream.split(':')
  const server = createServer((incoming, outgoing) => {
    proxy.requests += 1
    const { method, url: path = '', headers } = incoming
    const passed = request({ hostname, port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    passed.on('error', (error) => outgoing.destroy(error))
    if (path.includes('/blobs/')) {
      incoming.on('data', (chunk) => {
        proxy.blobBytes += chunk.length
      })
    }
    incoming.pipe(passed)
  })
  /** @type {CountingProxy} */
  const proxy = { requests: 0, blobBytes: 0, host: '', close: () => void server.close() }
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const address = server.address()
  proxy.host = `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  return proxy
}
