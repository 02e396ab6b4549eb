import { type Answer, refuse } from './answer.js'

/** What a server allows. */
export interface Rules {
  readonly readOnly: boolean
  readonly deletes: boolean
  readonly manifestBytes: number
  readonly blobBytes: number
}

export interface RuleOptions {
  /** Refuses whatever would change the folder, with 403 `DENIED`. Default false. */
  readonly readOnly?: boolean | undefined
  /** Takes DELETE of tags, manifests and blobs. Default true: the folder is the program's own. Without: 405 `UNSUPPORTED`. */
  readonly deletes?: boolean | undefined
  /** The largest manifest that is taken; more is answered with 413. Default 8 MiB; the specification asks for 4 MiB at least. */
  readonly manifestBytes?: number | undefined
  /** The largest blob that is taken; more is answered with 413. Default: as large as the disk. */
  readonly blobBytes?: number | undefined
}

export function rulesOf(options: RuleOptions): Rules {
  const { readOnly = false, deletes = true } = options
  const { manifestBytes = 8 * 1024 * 1024, blobBytes = Number.POSITIVE_INFINITY } = options
  return { readOnly, deletes, manifestBytes, blobBytes }
}

/** Why a request is refused whatever it names; `undefined`: it is not. */
export function refusalOf({ readOnly }: Rules, method: string): Answer | undefined {
  if (!readOnly || method === 'GET' || method === 'HEAD') return undefined
  return refuse(403, 'DENIED', 'the registry is read-only')
}
