import { createHash } from 'node:crypto'
import type { Context, EnsureSlot, InstanceSpec, Resources, RunOnce, Target, Volume } from '@kiwi/core'
import type Docker from 'dockerode'
import type { ContainerCreateOptions, HostConfig, MountSettings } from 'dockerode'
import type { Lane } from '../edge/protocol.js'
import { attempt } from '../errors.js'
import { labels, targetLabels } from '../names.js'

/** Creates a container. The client puts a plain body into the URL as well, with all environment values: so body and query are given apart. */
export async function createContainer(
  docker: Docker,
  name: string,
  body: ContainerCreateOptions,
): Promise<Docker.Container> {
  // The type knows only the plain form.
  const split = { _query: { name }, _body: body } as unknown as ContainerCreateOptions
  return attempt(`creating the container ${name}`, 'unknown', () => docker.createContainer(split))
}

export interface InstancePlace {
  readonly lane: Pick<Lane, 'number' | 'generation'>
  readonly index: number
  readonly networkId: string
  readonly address: string
}

/** The request that makes one instance. `env` is the specification's, with its secrets resolved. */
export function instanceBody(
  target: Target,
  action: EnsureSlot,
  place: InstancePlace,
  made: { readonly token: number; readonly env: Readonly<Record<string, string>> },
): ContainerCreateOptions {
  const { spec } = action
  return {
    ...bodyOf(action, place, made.env),
    ...(spec.entrypoint === undefined ? {} : { Entrypoint: [...spec.entrypoint] }),
    ...(spec.command === undefined ? {} : { Cmd: [...spec.command] }),
    Labels: {
      ...targetLabels(target),
      [labels.role]: 'instance',
      [labels.slot]: action.slot,
      [labels.release]: action.release,
      [labels.digest]: action.image.digest,
      [labels.spec]: specHash(action),
      ...placeLabels(place, made.token),
    },
    HostConfig: { ...hostOf(spec, place), RestartPolicy: { Name: 'unless-stopped' } },
  }
}

/** The request that makes the container of a command that runs once. */
export function taskBody(
  target: Target,
  action: RunOnce,
  place: Pick<InstancePlace, 'networkId' | 'address'>,
  made: { readonly token: number; readonly env: Readonly<Record<string, string>> },
): ContainerCreateOptions {
  const { entrypoint } = action.spec
  return {
    ...bodyOf(action, place, made.env),
    ...(entrypoint === undefined ? {} : { Entrypoint: [...entrypoint] }),
    Cmd: [...action.command],
    Labels: {
      ...targetLabels(target),
      [labels.role]: 'task',
      [labels.task]: action.task,
      [labels.slot]: action.slot,
      [labels.release]: action.release,
      [labels.digest]: action.image.digest,
      [labels.token]: String(made.token),
    },
    HostConfig: { ...hostOf(action.spec, place), RestartPolicy: { Name: 'no' } },
  }
}

function bodyOf(
  { image, spec }: Pick<EnsureSlot, 'image' | 'spec'>,
  { networkId, address }: Pick<InstancePlace, 'networkId' | 'address'>,
  env: Readonly<Record<string, string>>,
): ContainerCreateOptions {
  return {
    Image: image.pull,
    Env: Object.entries({ ...env, PORT: String(spec.port) }).map(([name, value]) => `${name}=${value}`),
    StopTimeout: graceSeconds(spec),
    NetworkingConfig: { EndpointsConfig: { [networkId]: { IPAMConfig: { IPv4Address: address } } } },
  }
}

function hostOf({ volumes, resources }: InstanceSpec, { networkId }: Pick<InstancePlace, 'networkId'>): HostConfig {
  return { NetworkMode: networkId, Mounts: volumes.map(mountOf), ...limitsOf(resources) }
}

/** The engine keeps limits; it has nothing that a request could be counted against. */
function limitsOf({ limits: { cpuMillis, memoryBytes } }: Resources): HostConfig {
  return {
    ...(cpuMillis !== undefined && { NanoCpus: cpuMillis * 1_000_000 }),
    ...(memoryBytes !== undefined && { Memory: memoryBytes }),
  }
}

/** Hash over everything that goes into an instance or its health check. Secrets count by name. */
export function specHash(action: EnsureSlot): string {
  const { env, ...rest } = action.spec
  const sorted = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1))
  const others = Object.entries(rest).filter(([, value]) => value !== undefined)
  const text = JSON.stringify([action.image.digest, sorted, others.sort(([a], [b]) => (a < b ? -1 : 1))])
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

/** Calls `use` with the environment's values; secrets are known only as long as it runs. */
export async function withEnvironment<T>(
  env: InstanceSpec['env'],
  context: Context,
  use: (values: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  return resolveNext(Object.entries(env), {})

  async function resolveNext(
    entries: readonly [string, InstanceSpec['env'][string]][],
    known: Readonly<Record<string, string>>,
  ): Promise<T> {
    const [first, ...rest] = entries
    if (first === undefined) return use(known)
    const [name, value] = first
    if (typeof value === 'string') return resolveNext(rest, { ...known, [name]: value })
    return context.secret(value, (secret) => resolveNext(rest, { ...known, [name]: secret }))
  }
}

function placeLabels(place: InstancePlace, token: number): Record<string, string> {
  return {
    [labels.lane]: String(place.lane.number),
    [labels.generation]: String(place.lane.generation),
    [labels.index]: String(place.index),
    [labels.token]: String(token),
  }
}

/** The engine counts in whole seconds. */
function graceSeconds(spec: InstanceSpec): number {
  return Math.ceil(spec.stopGraceMs / 1000)
}

function mountOf(volume: Volume): MountSettings {
  const type = volume.source.startsWith('/') ? 'bind' : 'volume'
  return { Type: type, Source: volume.source, Target: volume.path, ReadOnly: volume.readOnly }
}
