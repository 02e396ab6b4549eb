import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

/** What the repository holds in the place of a large file. */
export function pointerTo(content: string): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${oidOf(content)}\nsize ${Buffer.byteLength(content)}\n`
}

export function oidOf(content: string): string {
  return createHash('sha256').update(content).digest('hex')
}

export interface LargeFileServerOptions {
  readonly contents: readonly string[]
  /** Asked for by the batch call when it is set. */
  readonly authorization?: string | undefined
  /** Where the files themselves are said to be. Default: here. */
  readonly storage?: string | undefined
}

/** Answers requests of git-lfs; for `before` of a test git server. */
export function largeFileServer({ contents, authorization, storage }: LargeFileServerOptions) {
  const files = new Map(contents.map((content) => [oidOf(content), content]))
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const path = request.url ?? ''
    const oid = /^\/objects\/([0-9a-f]{64})$/.exec(path)?.[1]
    if (oid !== undefined) {
      response.end(files.get(oid))
      return true
    }
    if (!path.endsWith('/info/lfs/objects/batch')) return false
    if (authorization !== undefined && request.headers.authorization !== authorization) {
      response
        .writeHead(401, { 'lfs-authenticate': 'Basic realm="lfs"', 'www-authenticate': 'Basic realm="lfs"' })
        .end()
      return true
    }
    void text(request).then((body) => {
      const asked: { objects: { oid: string; size: number }[] } = JSON.parse(body)
      const base = storage ?? `http://${request.headers.host}`
      const objects = asked.objects.map((object) => ({
        ...object,
        actions: files.has(object.oid) ? { download: { href: `${base}/objects/${object.oid}` } } : undefined,
        error: files.has(object.oid) ? undefined : { code: 404, message: 'not there' },
      }))
      response.setHeader('content-type', 'application/vnd.git-lfs+json')
      response.end(JSON.stringify({ transfer: 'basic', objects }))
    })
    return true
  }
}

/**
 * Stands in for git-lfs: writes what it was given (arguments, environment, what git would log in with at `hosts`) as JSON lines to `log`, and replaces
 * every pointer by `content` in git's filter protocol.
 */
export function fakeLargeFileTool(options: { log: string; content: string; hosts: readonly string[] }): string {
  return `#!${process.execPath}
const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const options = ${JSON.stringify(options)}
const ask = (url) => {
  try {
    return execFileSync('git', ['credential', 'fill'], { input: 'url=' + url + '\\n\\n', stdio: ['pipe', 'pipe', 'ignore'] }).toString()
  } catch { return 'nothing' }
}
const config = (name) => { try { return execFileSync('git', ['config', name]).toString().trim() } catch { return '' } }
const known = process.argv[2] === 'fetch' ? options.hosts.map(ask) : []
fs.appendFileSync(options.log, JSON.stringify({
  arguments: process.argv.slice(2), environment: process.env, known, server: config('lfs.url'), storage: config('lfs.storage'),
}) + '\\n')
if (process.argv[2] === 'filter-process') filter()

function filter() {
  let input = Buffer.alloc(0)
  const read = (count) => {
    while (input.length < count) {
      const chunk = Buffer.alloc(65536)
      const size = fs.readSync(0, chunk)
      if (size === 0) process.exit(0)
      input = Buffer.concat([input, chunk.subarray(0, size)])
    }
    const taken = input.subarray(0, count)
    input = input.subarray(count)
    return taken
  }
  const packets = () => {
    const found = []
    for (;;) {
      const length = parseInt(read(4).toString(), 16)
      if (length === 0) return found
      found.push(read(length - 4).toString())
    }
  }
  const write = (...lines) => {
    for (const line of lines) fs.writeSync(1, (line.length + 4).toString(16).padStart(4, '0') + line)
    fs.writeSync(1, '0000')
  }
  packets()
  write('git-filter-server\\n', 'version=2\\n')
  packets()
  write('capability=smudge\\n')
  for (;;) {
    packets()
    packets()
    write('status=success\\n')
    write(options.content)
    write()
  }
}
`
}
