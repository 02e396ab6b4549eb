import type { Context, ImagePlace, Probe } from '@kiwi/core'
import { KiwiError } from '@kiwi/core'
import { type OciRegistry, type OciRegistryOptions, openRegistry } from '../registry.js'
import { shapeOf, textOf } from '../shape.js'
import { type Api, apiOf } from './api.js'
import {
  type HarborArtifact,
  type HarborRepository,
  listArtifacts,
  listRepositories,
  removeArtifact,
} from './artifacts.js'
import { explainWith, identify } from './explain.js'
import { harborJudge } from './judge.js'
import { placeOf } from './place.js'
import {
  createProject,
  type HarborProject,
  type HarborQuota,
  type ProjectOptions,
  projectExists,
  readProject,
  readQuota,
} from './projects.js'
import { protectArtifacts } from './protect.js'
import { type HarborRobots, robotsOf } from './robots.js'
import { harborSink } from './sink.js'

export type { HarborArtifact, HarborRepository, HarborTag } from './artifacts.js'
export type { HarborProject, HarborQuota, ProjectOptions } from './projects.js'
export type { HarborRobot, HarborRobots, NewRobot, RobotLogin, RobotRight, RobotSecret } from './robots.js'

export interface HarborOptions extends OciRegistryOptions {
  /** A push makes its project where there is none. Default: it rejects with `REGISTRY_PROJECT_MISSING`. */
  readonly createProjects?: ProjectOptions | undefined
}

/** Harbor: a registry whose repositories are `PROJECT/NAME`, and its own API. */
export interface Harbor extends OciRegistry {
  readonly projects: HarborProjects
  readonly robots: HarborRobots
  /** `undefined` where Harbor keeps no quotas, or does not tell this user. */
  quota(project: string, context: Context): Promise<HarborQuota | undefined>
  repositories(project: string, context: Context): AsyncIterable<HarborRepository>
  artifacts(repository: string, context: Context): AsyncIterable<HarborArtifact>
}

export interface HarborProjects {
  /** Whether there is one; known also to those who may do nothing in it. */
  exists(project: string, context: Context): Promise<boolean>
  /** Rejects with `REGISTRY_PROJECT_MISSING` where there is none. */
  read(project: string, context: Context): Promise<HarborProject>
  /** Answers whether it was made; false: it was there. Rejects with `REGISTRY_DENIED` where this user may not. */
  create(project: string, options: ProjectOptions, context: Context): Promise<boolean>
}

/**
 * A Harbor, by its API v2.0 as version 2.16 describes it. Throws `INPUT_INVALID` when a host is malformed; nothing is asked before first use.
 * @example harbor({ host: 'harbor.example.com', credentials: { username: 'robot$team+ci', password: secret('HARBOR_SECRET') } })
 */
export function harbor(options: HarborOptions): Harbor {
  const opened = openRegistry(options, { kind: 'harbor', judge: harborJudge })
  const { registry, client, endpoint } = opened
  const api = apiOf(opened, options.retry)
  const explain = explainWith(api)
  const ready = readiness(api, options.createProjects)
  const inProject = <T>(repository: string, context: Context, work: () => Promise<T>) =>
    explain(placeOf(repository).project, context, work)
  const pushing = <T>(project: string, context: Context, work: () => Promise<T>) =>
    explain(project, context, async () => {
      await ready(project, context)
      return work()
    })
  return {
    ...registry,
    probe: (context) => probe(api, context),
    async check(repository, right, context) {
      const { project } = placeOf(repository)
      const within = right === 'push' ? pushing : explain
      await within(project, context, () => registry.check(repository, right, context))
    },
    resolve: async (place, context) => inProject(place.repository, context, () => registry.resolve(place, context)),
    source: async (place, context) => inProject(place.repository, context, () => registry.source(place, context)),
    sink(repository) {
      const { project } = placeOf(repository)
      const doing = `push to ${endpoint.host}/${repository}`
      const within = <T>(context: Context, work: () => Promise<T>) => pushing(project, context, work)
      return harborSink({ api, sink: registry.sink(repository), project, doing, within })
    },
    remove: async (place: ImagePlace, context) =>
      inProject(place.repository, context, () => removeArtifact(api, place, context)),
    protect: async (repository, digests, context) =>
      inProject(repository, context, () => protectArtifacts({ api, client }, repository, digests, context)),
    async *tags(repository, context) {
      yield* explained(registry.tags(repository, context), (work) => inProject(repository, context, work))
    },
    projects: {
      exists: (project, context) => projectExists(api, project, context),
      read: (project, context) => explain(project, context, () => readProject(api, project, context)),
      create: (project, more, context) => createProject(api, project, more, context),
    },
    robots: robotsOf(api),
    quota: (project, context) => explain(project, context, () => readQuota(api, project, context)),
    repositories: (project, context) =>
      explained(listRepositories(api, project, context), (work) => explain(project, context, work)),
    artifacts: (repository, context) =>
      explained(listArtifacts(api, repository, context), (work) => inProject(repository, context, work)),
  }
}

/** Makes projects that are missing, where that is wanted; each is looked for once. */
function readiness(api: Api, create: ProjectOptions | undefined) {
  const known = new Map<string, Promise<void>>()
  return async (project: string, context: Context): Promise<void> => {
    if (!create) return
    const looking = known.get(project) ?? requireProject(api, project, create, context)
    known.set(project, looking)
    await looking.catch((error: unknown) => {
      known.delete(project)
      throw error
    })
  }
}

async function requireProject(api: Api, project: string, create: ProjectOptions, context: Context): Promise<void> {
  if (await projectExists(api, project, context)) return
  await createProject(api, project, create, context)
}

async function* explained<T>(
  items: AsyncIterable<T>,
  within: <R>(work: () => Promise<R>) => Promise<R>,
): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await within(() => iterator.next())
      if (next.done) return
      yield next.value
    }
  } finally {
    await iterator.return?.()
  }
}

/** The version is told to those who are signed in; the rest to anybody. */
async function probe(api: Api, context: Context): Promise<Probe> {
  const { host } = api
  try {
    const doing = `reach ${host}`
    const info = shapeOf(await api.json({ method: 'GET', path: '/systeminfo', expect: [200], doing }, context))
    const health = shapeOf(await api.json({ method: 'GET', path: '/health', expect: [200], doing }, context))
    const identity = await identify(api, context)
    const version = textOf(info, 'harbor_version') ?? 'unknown'
    const status = textOf(health, 'status') ?? 'unknown'
    const readOnly = info.read_only === true
    const details = { host, version, health: status, identity, readOnly: `${readOnly}` }
    const trouble = troubleOf({ status, identity, readOnly })
    if (trouble !== undefined) return { ok: false, summary: `${host} ${trouble}`, details }
    return { ok: true, summary: `${host} answers: Harbor ${version}`, details }
  } catch (error) {
    context.signal.throwIfAborted()
    const { message, code } = KiwiError.from(error)
    return { ok: false, summary: message, details: { host, code } }
  }
}

function troubleOf(seen: { readonly status: string; readonly identity: string; readonly readOnly: boolean }) {
  if (seen.identity === 'refused') return 'refuses the user name or the password'
  if (seen.readOnly) return 'is set to read only'
  return seen.status === 'unhealthy' ? 'says that a part of it is unhealthy' : undefined
}
