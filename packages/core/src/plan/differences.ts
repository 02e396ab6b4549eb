import { isDeepStrictEqual } from 'node:util'
import type { InstanceSpec } from '../contracts/v1/actions.js'
import type { Json } from '../contracts/v1/json.js'
import type { ImageRecord } from '../model/release.js'
import { isSecretReference } from '../secrets/reference.js'
import type { Change } from './plan.js'

/** What is compared of a release. */
export interface Deployable {
  readonly image?: ImageRecord | undefined
  readonly spec: InstanceSpec | undefined
  readonly replicas: number
}

/** The changes from what runs to what would run. Values of environment variables are told as changed, never shown: one may be a secret. */
export function differences(now: Deployable | undefined, wanted: Deployable, environment: string): Change[] {
  const at = (path: string) => `environments.${environment}.${path}`
  const changes: Change[] = []
  const compare = (what: string, path: string | undefined, from: unknown, to: unknown) => {
    if (!isDeepStrictEqual(from, to))
      changes.push({ what, ...(path && { path: at(path) }), from: json(from), to: json(to) })
  }
  if (wanted.image) compare('image', undefined, now?.image?.digest, wanted.image.digest)
  compare('replicas', 'replicas', now?.replicas, wanted.replicas)
  const keys = ['entrypoint', 'command', 'port', 'health', 'volumes', 'resources', 'stopGraceMs'] as const
  for (const key of keys) compare(key, key, now?.spec?.[key], wanted.spec?.[key])
  return [...changes, ...variables(now?.spec?.env ?? {}, wanted.spec?.env ?? {}, at('env'))]
}

function variables(from: InstanceSpec['env'], to: InstanceSpec['env'], path: string): Change[] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])].toSorted()
  return names.flatMap((name) => {
    if (isDeepStrictEqual(from[name], to[name])) return []
    return [{ what: `env ${name}`, path: `${path}.${name}`, from: kindOf(from[name]), to: kindOf(to[name]) }]
  })
}

function kindOf(value: InstanceSpec['env'][string] | undefined): string | null {
  if (value === undefined) return null
  return isSecretReference(value) ? `secret ${value.secret}` : 'text'
}

/** The parts of a spec are plain JSON; the compiler cannot see that of an interface. */
function json(value: unknown): Json {
  return value === undefined ? null : (value as Json)
}
