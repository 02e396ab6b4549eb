import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

export interface TestGitServer extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly url: string
  readonly requests: { readonly path: string; readonly authorization: string | undefined }[]
}

export interface TestGitServerOptions {
  /** Holds the repositories. */
  readonly root?: string | undefined
  /** Version 0 refuses commits that no branch or tag points at. */
  readonly protocol?: 0 | 2 | undefined
  /** Called before a request is served; true when it has answered (or will not). */
  readonly before?: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined
  /** A longer answer is sent in part, and never ended; `onClose` is called when the other side gives up. */
  readonly cut?: { readonly afterBytes: number; readonly onClose: () => void } | undefined
}

/** Serves repositories over HTTP with git's own backend. */
export async function testGitServer(options: TestGitServerOptions = {}): Promise<TestGitServer> {
  const requests: { path: string; authorization: string | undefined }[] = []
  const server = createServer((request, response) => {
    requests.push({ path: request.url ?? '', authorization: request.headers.authorization })
    if (options.before?.(request, response) !== true) serve(request, response, options)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // a server on a port has an AddressInfo
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Some distributions have it in a package of its own. */
export const gitHttpBackend = join(
  execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim(),
  'git-http-backend',
)

function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { root = '/', protocol = 2, cut }: TestGitServerOptions,
): void {
  const url = new URL(request.url ?? '/', 'http://host')
  const child = spawn(gitHttpBackend, [], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_NOSYSTEM: '1',
      REQUEST_METHOD: request.method,
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      ...(protocol === 2 ? { GIT_PROTOCOL: String(request.headers['git-protocol'] ?? '') } : {}),
    },
  })
  request.pipe(child.stdin)
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.on('close', () => answer(Buffer.concat(chunks), response, cut))
}

/** Takes a CGI answer apart: header lines, an empty line, the body. */
function answer(output: Buffer, response: ServerResponse, cut: TestGitServerOptions['cut']): void {
  const end = output.indexOf('\r\n\r\n')
  let status = 200
  for (const line of output.subarray(0, end).toString().split('\r\n')) {
    const [name = '', value = ''] = line.split(': ')
    if (name === 'Status') status = Number.parseInt(value, 10)
    else if (name !== '') response.setHeader(name, value)
  }
  const body = output.subarray(end + 4)
  if (cut === undefined || body.length <= cut.afterBytes) {
    response.writeHead(status).end(body)
    return
  }
  response.on('close', cut.onClose)
  response.writeHead(status).write(body.subarray(0, cut.afterBytes))
}
