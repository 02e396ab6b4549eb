/** What the server says to one request. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined
}

/** Codes of the OCI distribution specification, "Error Codes". */
export type RefusalCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'RANGE_INVALID'
  | 'SIZE_INVALID'
  | 'TAG_INVALID'
  | 'UNSUPPORTED'
  | 'UNKNOWN'

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  const body = Buffer.from(JSON.stringify(value))
  const type = headers['content-type'] ?? 'application/json'
  return { status, headers: { ...headers, 'content-type': type, 'content-length': String(body.length) }, body }
}

export function refuse(status: number, code: RefusalCode, message: string, detail?: unknown): Answer {
  return json(status, { errors: [{ code, message, ...(detail !== undefined && { detail }) }] })
}

export function empty(status: number, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers: { 'content-length': '0', ...headers } }
}
