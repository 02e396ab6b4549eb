import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Context, type Evidence, KiwiError, ociLayout, type Probe, type Runtime, type Target } from '@kiwi/core'
import { chooseIsolation, type FoundIsolation, type Isolation, missingTools } from '../isolation/index.js'
import { type LayerStore, layerStore } from '../layers/index.js'
import type { ClaimRequest } from '../supervisor/api.js'
import { type FoundGroup, findControlGroup } from '../supervisor/control-group.js'
import { loadState } from '../supervisor/state.js'
import { act } from './act.js'
import { ask, askIfThere } from './connect.js'
import { logs } from './logs.js'
import { observe } from './observe.js'
import { environmentDirectory } from './place.js'
import type { Setting } from './setting.js'
import { builtSupervisor } from './start.js'
import { stop } from './stop.js'

export interface LocalRuntimeOptions {
  /** Holds everything this runtime keeps; on a local file system. */
  readonly directory: string
  /** Where images lie, as blobs by digest; share it with the builder and nothing is copied. Default `<directory>/images`. */
  readonly images?: string | undefined
  /** Unpacked layers. Default: a store in `<directory>/cache`. */
  readonly layers?: LayerStore | undefined
  /** Default: `auto-with-none`. With `auto`, nothing is started where namespaces are not to be had. */
  readonly isolation?: Isolation | undefined
  /**
   * `host` (default): instances share this machine's network, and have to listen on the port that PORT tells. `own`: each has a network
   * namespace, listens on the environment's `port` whatever that is, and reaches other machines through this one. Takes namespaces,
   * `ip`, and iptables with forwarding for the way out.
   */
  readonly network?: 'host' | 'own' | undefined
  /** The built `supervisor/main.js`. Default: the one of this package. */
  readonly supervisorPath?: string | undefined
}

/** Runs images on this machine: unpacked, each environment owned by a small process that outlives the one that called. */
export interface LocalRuntime extends Runtime {
  /** Stops everything of the environment with its grace, and forgets its slots; its port, fence and volumes stay. Resolves when no process is left. */
  stop(target: EnvironmentName, signal?: AbortSignal): Promise<void>
  /** All environments that were ever claimed here. */
  list(): Promise<readonly EnvironmentName[]>
}

export type EnvironmentName = Pick<Target, 'service' | 'environment'>

/**
 * @example
 * const runtime = localRuntime({ directory: '.kiwi/runtime' })
 * const kiwi = await createKiwi({ runtimes: { local: runtime }, ... })
 */
export function localRuntime(options: LocalRuntimeOptions): LocalRuntime {
  const directory = resolve(options.directory)
  const supervisorPath = options.supervisorPath ?? builtSupervisor()
  const { network = 'host' } = options
  const images = ociLayout(options.images ?? join(directory, 'images'))
  let found: Promise<FoundIsolation> | undefined
  const isolationFor = ({ signal }: Context) => {
    found ??= chooseIsolation(options.isolation ?? 'auto-with-none', directory, signal)
    found.catch(() => {
      found = undefined // it was cancelled: the next caller looks again
    })
    return found
  }
  const place = (target: EnvironmentName) => environmentDirectory(directory, target)
  const settingOf = async (target: Target, context: Context): Promise<Setting> => {
    const isolation = usable(await isolationFor(context))
    if (isolation === 'none' && network === 'own') throw needsNamespaces()
    const form = isolation === 'none' ? 'plain' : 'overlay'
    const layers = options.layers ?? layerStore(join(directory, 'cache'), { form })
    const limits = await findControlGroup()
    return { directory: place(target), supervisorPath, isolation, network, limits, images, layers }
  }
  return {
    contract: 'runtime/v1',
    kind: 'local',
    traits: { takes: ['layout'], rolling: 'composed', routes: 'many' },
    probe: async (context) => probe(await isolationFor(context), await findControlGroup()),
    async claim(target, { signal, operation }) {
      const body: ClaimRequest = { token: operation.fence.token, publish: target.publish }
      await ask(place(target), supervisorPath, { method: 'POST', path: '/claim', body, signal })
    },
    observe: (target, { signal }) => observe(place(target), supervisorPath, signal),
    act: async (target, action, context) => act(await settingOf(target, context), action, context),
    evidence: (target, slotOrTask, context) => evidence(place(target), supervisorPath, slotOrTask, context),
    logs: (target, slot, options, { signal }) => logs(join(place(target), 'logs'), slot, options, signal),
    sink: () => images.sink,
    stop: (target, signal = new AbortController().signal) => stop(place(target), supervisorPath, signal),
    list: () => list(directory),
  }
}

function usable({ kind, because, cure }: FoundIsolation): 'namespaces' | 'none' {
  if (kind !== 'missing') return kind
  throw new KiwiError('RUNTIME_FAILED', `instances cannot be kept apart from this machine: ${because}`, {
    retryable: false,
    hint: cure,
  })
}

function needsNamespaces(): KiwiError {
  return new KiwiError('RUNTIME_FAILED', 'a network of its own takes namespaces, which are not to be had', {
    retryable: false,
    hint: 'Ask the runtime’s probe what this machine lacks, or leave `network` out.',
  })
}

const ways = {
  namespaces: 'runs images in namespaces of their own',
  none: 'runs images as plain processes',
  missing: 'cannot run images as it was told to',
}

function probe({ kind, because, cure }: FoundIsolation, group: FoundGroup): Probe {
  const missing = missingTools()
  const tools = missing.length === 0 ? 'all there' : `missing: ${missing.join(', ')}`
  const limits = 'group' in group ? `enforced in ${group.group}` : `not enforced: ${group.missing}`
  return {
    ok: kind !== 'missing',
    summary: `this machine ${ways[kind]}: ${because}`,
    details: { isolation: kind, because, tools, limits, ...(cure === undefined ? {} : { cure }) },
  }
}

async function evidence(
  directory: string,
  supervisorPath: string,
  slotOrTask: string,
  { signal }: Context,
): Promise<Evidence> {
  const call = { method: 'GET', path: `/evidence?of=${encodeURIComponent(slotOrTask)}`, signal } as const
  const answer = await askIfThere<Evidence>(directory, call)
  if (answer !== undefined) return answer.body
  const { slots, tasks } = await loadState(directory)
  const known = [...slots, ...tasks].some(({ id }) => id === slotOrTask)
  return known ? ask(directory, supervisorPath, call) : { slot: slotOrTask, instances: [] }
}

async function list(directory: string): Promise<readonly EnvironmentName[]> {
  const services = await names(join(directory, 'environments'))
  const found = services.map(async (service) => {
    const environments = await names(join(directory, 'environments', service))
    return environments.map((environment) => ({ service, environment }))
  })
  return (await Promise.all(found)).flat()
}

function names(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => [])
}
