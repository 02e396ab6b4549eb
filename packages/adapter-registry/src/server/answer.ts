import type { Readable } from 'node:stream'

/** What the server says to one request. */
export interface Answer {
  readonly status: number
  readonly headers?: Headers | undefined
  readonly body?: Uint8Array | Readable | undefined
}

export type Headers = Readonly<Record<string, string | readonly string[]>>

/** Codes of the OCI distribution specification, "Error Codes". */
export type RefusalCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DENIED'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'RANGE_INVALID'
  | 'SIZE_INVALID'
  | 'TAG_INVALID'
  | 'UNAUTHORIZED'
  | 'UNSUPPORTED'
  | 'UNKNOWN'

export function json(status: number, value: unknown, headers: Headers = {}): Answer {
  const body = Buffer.from(JSON.stringify(value))
  const type = headers['content-type'] ?? 'application/json'
  return { status, headers: { ...headers, 'content-type': type, 'content-length': String(body.length) }, body }
}

export function refuse(
  status: number,
  code: RefusalCode,
  message: string,
  more: { readonly detail?: unknown; readonly headers?: Headers } = {},
): Answer {
  const { detail, headers } = more
  return json(status, { errors: [{ code, message, ...(detail !== undefined && { detail }) }] }, headers)
}

export function empty(status: number, headers: Headers = {}): Answer {
  return { status, headers: { 'content-length': '0', ...headers } }
}

/** Whether `If-None-Match` names the digest: the client has these bytes already (RFC 9110 §13.1.2). */
export function isKnown(ifNoneMatch: string | undefined, digest: string): boolean {
  const tags = (ifNoneMatch ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes('*') || tags.includes(`"${digest}"`)
}
