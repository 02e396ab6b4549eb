import type { Json } from './contracts/v1/json.js'
import type { Ref, Revision } from './contracts/v1/source.js'
import type { RunFilter, RunRow } from './contracts/v1/store.js'
import { KiwiError } from './errors/kiwi-error.js'
import { type FeedItem, type FeedOptions, feed } from './events/feed.js'
import { type LogMatch, type LogSearch, logs } from './events/logs.js'
import type { Run } from './events/run-handle.js'
import { startEngine } from './journal/engine.js'
import { lookingContext } from './journal/looking-context.js'
import { type Order, runDesk } from './journal/run-desk.js'
import { isOpen } from './journal/run-row.js'
import { thisWorker } from './journal/worker.js'
import { applyFixes } from './model/fixes.js'
import type { Build, Release } from './model/release.js'
import type { QueuePolicy } from './model/run.js'
import type { KiwiOptions } from './options.js'
import type { Doctor } from './plan/doctor.js'
import type { Planner } from './plan/planner.js'
import { shownBy } from './plan/shown.js'
import type { AdapterRegister } from './registers/entry.js'
import { adapterRegister } from './registers/register.js'
import { definitionOf, type Services, servicesOf } from './registers/services.js'
import { builds } from './release/builds.js'
import { current, history, releaseById } from './release/history.js'
import { type InstanceLogOptions, instanceLogs } from './release/instance-logs.js'
import type { Pruned, PrunePolicy } from './release/prune.js'
import { clearQuarantine, type Quarantined, quarantined } from './release/quarantine.js'
import { type Readiness, readinessOf } from './release/readiness.js'
import { type Status, status } from './release/status.js'
import type { Fix } from './verdict/diagnosis.js'

interface Asked {
  /** Who asks, for the history. */
  readonly by: string
  readonly reason?: string | undefined
  /** A second request with the same id is answered with the first one's run. */
  readonly requestId?: string | undefined
}

interface AskedOfEnvironment extends Asked {
  readonly environment: string
  /** What becomes of it while another run has the environment: `queue` (default), `supersede`, or `reject` (rejects with `RUN_BUSY`). */
  readonly policy?: QueuePolicy | undefined
}

interface Deploys extends AskedOfEnvironment {
  /** Waits for `promote` before the route moves. */
  readonly hold?: boolean | undefined
  /** Marks the release: a rollback must not cross it unasked. Default: as the environment's `beforeSwitch` says. */
  readonly schemaChange?: boolean | undefined
  /** Deploys a digest although it failed there before with these settings. */
  readonly acceptQuarantined?: boolean | undefined
}

/** What a host application works with. Every run is durable when its promise resolves. */
export interface Kiwi extends AsyncDisposable {
  readonly services: Services
  readonly registries: AdapterRegister
  readonly runtimes: AdapterRegister
  /** Says what a run would do, by reading only. */
  readonly plan: Planner

  /** Builds the ref, pushes it, deploys it to the environment and verifies it. `fixes` of a diagnosis count for this run only. */
  release(
    service: string,
    options: Deploys & { readonly ref: string; readonly fixes?: readonly Fix[] | undefined },
  ): Promise<Run<Release>>
  /** Builds the ref and, unless `push` is false, pushes it. */
  build(
    service: string,
    options: Asked & { readonly ref: string; readonly push?: boolean | undefined },
  ): Promise<Run<Build>>
  /** Pushes a build that was not pushed; the image lies on the host that built it. */
  push(service: string, options: Asked & { readonly buildNumber: number }): Promise<Run<Build>>
  /** Deploys an image: a tag or digest of the service's repository, or a whole reference, also of an image that Kiwi did not build. Its digest is what is deployed and recorded. */
  deploy(service: string, options: Deploys & { readonly image: string }): Promise<Run<Release>>
  /** Deploys what runs in the environment `from`, by digest, without building. */
  advance(service: string, options: Deploys & { readonly from: string }): Promise<Run<Release>>
  /** Deploys a kept release again: `to` is its number or id, by default the newest good one before the current. */
  rollback(
    service: string,
    options: AskedOfEnvironment & {
      readonly to?: string | number | undefined
      readonly hold?: boolean | undefined
      readonly acceptSchemaChange?: boolean | undefined
    },
  ): Promise<Run<Release>>
  /** The current release again, in new instances. */
  restart(service: string, options: AskedOfEnvironment): Promise<Run<Release>>
  /** The current release with so many instances; the next release has as many as the definition says again. */
  scale(service: string, options: AskedOfEnvironment & { readonly replicas: number }): Promise<Run<Release>>
  /** Takes everything of the environment away; the history stays. */
  undeploy(service: string, options: AskedOfEnvironment): Promise<Run<Release>>
  /** Takes over what runs already and was not made by Kiwi, as release 0; nothing is restarted. */
  adopt(service: string, options: AskedOfEnvironment & { readonly selector: Json }): Promise<Run<Release>>

  /** Lets a run that holds move the route. */
  promote(runId: string, order: Order): Promise<void>
  /** Makes a run wait before it moves the route. */
  hold(runId: string, order: Order): Promise<void>
  /** Lets a run that waits for approval deploy. */
  approve(runId: string, order: Order): Promise<void>
  /** While the run is open: moves the route back and ends it. Afterwards: starts the rollback to the release it replaced, and answers with that run. */
  revert(runId: string, order: Order): Promise<Run<Release> | undefined>
  /**
   * Stops the run. One that nobody has begun ends at once; before `deploy` it stops where it is; from then on the route goes back first. The
   * point of no return is the end of `verify`: a run that is being recorded succeeds. Rejects with `RUN_ENDED` afterwards.
   */
  cancel(runId: string, order: Order): Promise<void>

  /** Follows any run, also one of another process. */
  run(runId: string): Promise<Run>
  /** Oldest first, or the newest ones first where a `limit` is given. */
  runs(filter?: RunFilter): Promise<readonly RunRow[]>
  /** Takes over unfinished runs whose owner is gone: the one named, or all. */
  resume(runId?: string): Promise<readonly Run[]>
  /** Every event of every run from the cursor on, then as they come, until the signal fires: a dashboard is one loop. */
  feed(options?: FeedOptions): AsyncIterable<FeedItem>
  /** Lines of a run's output. With `match`, the lines that match, those that tell of an error or a failure first. */
  logs(runId: string, options?: LogSearch): Promise<readonly LogMatch[]>

  /** All releases of the environment, oldest first, also of a service that was removed since. Rejects with `SERVICE_UNKNOWN`. */
  history(service: string, environment: string): Promise<readonly Release[]>
  /** How a release could be brought back now. */
  readiness(releaseId: string): Promise<Readiness>
  /** All images that were made for the service, newest first, also those that were never deployed. */
  builds(service: string): Promise<readonly Build[]>
  /** What runs, what is under way and what waits. */
  status(service: string, environment: string): Promise<Status>
  /** What the instances print; without `follow` it ends with what there is. */
  instanceLogs(service: string, environment: string, options?: InstanceLogOptions): ReturnType<typeof instanceLogs>
  /** Branches and tags of the service's source, and what changed between two commits, for a picker. */
  readonly source: {
    refs(service: string): AsyncIterable<Ref>
    resolve(service: string, ref: string): Promise<Revision>
    /** Paths; `undefined` where the source cannot tell. */
    changed(service: string, from: string, to: string): Promise<readonly string[] | undefined>
  }
  /** Digests that failed and are not deployed again unasked. */
  readonly quarantine: {
    list(service: string, environment: string): Promise<readonly Quarantined[]>
    /** Answers whether it was there. */
    clear(service: string, environment: string, digest: string): Promise<boolean>
  }
  /**
   * Removes what nothing kept needs any more: images, and the events of old runs. Says what it would do and why the rest stays, and does it with
   * `apply`. Rejects with `INPUT_INVALID`, `SERVICE_UNKNOWN`.
   */
  prune(policy?: PrunePolicy): Promise<Pruned>
  /** Asks every adapter how it is, and looks for the system tools that are run. */
  doctor(): Promise<Doctor>
  /** Stops working; unfinished runs stay as they are, for `resume`. The store was yours and stays open. */
  close(): Promise<void>
}

/** Wires the parts; decides nothing. Takes no run over: that is `resume`'s. */
export async function createKiwi(options: KiwiOptions): Promise<Kiwi> {
  const { engine, close } = await startEngine(options, thisWorker())
  const { store, clock, adapters } = engine
  const desk = runDesk(engine)
  const context = lookingContext(engine)
  const { redactor } = engine
  const registerOptions = { store, clock, context, redactor }
  const shown = shownBy(redactor)
  const definitionFor = (service: string, environment?: string) => definitionOf(store, service, environment)
  const sourceOf = async (service: string) => adapters.source((await definitionFor(service)).source)
  // Loaded when they are first asked for, as the pipeline is: importing this package has to be quick.
  const planning = async () => (await import('./plan/planner.js')).planner(engine)

  const kiwi: Kiwi = {
    services: servicesOf(store),
    registries: adapterRegister(adapters.registries, registerOptions),
    runtimes: adapterRegister(adapters.runtimes, registerOptions),
    plan: {
      release: async (service, asked) => shown((await planning()).release(service, asked)),
      deploy: async (service, asked) => shown((await planning()).deploy(service, asked)),
      rollback: async (service, asked) => shown((await planning()).rollback(service, asked)),
    },

    async release(service, { requestId, policy, fixes = [], ...asked }) {
      const definition = applyFixes(await definitionFor(service, asked.environment), fixes)
      return desk.start({ kind: 'release', service, definition, ...asked }, { requestId, policy })
    },
    async build(service, { requestId, push = true, ...asked }) {
      const definition = await definitionFor(service)
      return desk.start({ kind: 'build', service, definition, push, ...asked }, { requestId })
    },
    async push(service, { requestId, ...asked }) {
      const definition = await definitionFor(service)
      return desk.start({ kind: 'push', service, definition, ...asked }, { requestId })
    },
    async deploy(service, { requestId, policy, ...asked }) {
      const definition = await definitionFor(service, asked.environment)
      return desk.start({ kind: 'deploy', service, definition, ...asked }, { requestId, policy })
    },
    async advance(service, { requestId, policy, ...asked }) {
      const definition = await definitionFor(service, asked.environment)
      await definitionFor(service, asked.from)
      const release = current(await history(store, service, asked.from))
      if (!release?.image) throw new KiwiError('NOTHING_DEPLOYED', `nothing of ${service} is deployed to ${asked.from}`)
      const request = { kind: 'deploy', service, definition, image: release.image, ...asked } as const
      return desk.start(request, { requestId, policy })
    },
    async rollback(service, { requestId, policy, ...asked }) {
      const definition = await definitionFor(service, asked.environment)
      return desk.start({ kind: 'rollback', service, definition, ...asked }, { requestId, policy })
    },
    async restart(service, { requestId, policy, ...asked }) {
      const definition = await definitionFor(service, asked.environment)
      return desk.start({ kind: 'restart', service, definition, ...asked }, { requestId, policy })
    },
    async scale(service, { requestId, policy, ...asked }) {
      const definition = await definitionFor(service, asked.environment)
      return desk.start({ kind: 'scale', service, definition, ...asked }, { requestId, policy })
    },
    async undeploy(service, { requestId, policy, ...asked }) {
      const definition = await definitionFor(service, asked.environment)
      return desk.start({ kind: 'undeploy', service, definition, ...asked }, { requestId, policy })
    },
    async adopt(service, { requestId, policy, ...asked }) {
      const definition = await definitionFor(service, asked.environment)
      return desk.start({ kind: 'adopt', service, definition, ...asked }, { requestId, policy })
    },

    promote: async (runId, by) => void (await desk.order(runId, { ...by, type: 'promote' })),
    hold: async (runId, by) => void (await desk.order(runId, { ...by, type: 'hold' })),
    approve: async (runId, by) => void (await desk.order(runId, { ...by, type: 'approve' })),
    cancel: async (runId, by) => void (await desk.order(runId, { ...by, type: 'cancel' })),
    async revert(runId, { by, reason }) {
      const ordered = await desk.orderIfOpen(runId, { type: 'revert', by, reason })
      const { request, status: ended } = isOpen(ordered) ? await desk.endIfNear(ordered) : ordered
      if (ended !== 'succeeded' || request.environment === undefined) return undefined
      const { service, environment } = request
      const release = (await history(store, service, environment)).find((one) => one.runId === runId)
      if (!release?.replaced) throw new KiwiError('ROLLBACK_IMPOSSIBLE', `run ${runId} replaced no release`)
      return kiwi.rollback(service, { environment, by, to: release.replaced, reason })
    },

    run: async (runId) => desk.follow((await desk.known(runId)).runId),
    runs: (filter = {}) => store.runs(filter),
    resume: (runId) => desk.resume(runId),
    feed: (asked = {}) => feed(engine, asked),
    async logs(runId, asked = {}) {
      return logs(store, (await desk.known(runId)).runId, asked)
    },

    async history(service, environment) {
      const releases = await history(store, service, environment)
      if (releases.length === 0) await definitionFor(service, environment) // a name that was mistyped has no history either
      return releases
    },
    async readiness(releaseId) {
      const release = await releaseById(store, releaseId)
      const definition = await definitionFor(release.service, release.environment)
      return shown(readinessOf(engine, { definition, release }, context))
    },
    async builds(service) {
      const made = await builds(store, service)
      if (made.length === 0) await definitionFor(service)
      return made
    },
    async status(service, environment) {
      return shown(status(engine, await definitionFor(service, environment), environment, context))
    },
    instanceLogs: (service, environment, asked = {}) => instanceLogs(engine, service, environment, asked),
    source: {
      async *refs(service) {
        yield* (await sourceOf(service)).refs(context)
      },
      resolve: async (service, ref) => shown((await sourceOf(service)).resolve(ref, context)),
      changed: async (service, from, to) => (await sourceOf(service)).changed?.(from, to, context),
    },
    quarantine: {
      list: (service, environment) => quarantined(store, { service, environment }),
      clear: (service, environment, digest) => clearQuarantine(store, { service, environment, digest }),
    },
    prune: async (asked = {}) => shown((await import('./release/prune.js')).prune(engine, asked, context)),
    doctor: async () => shown((await import('./plan/doctor.js')).doctor(engine, context)),
    async close() {
      close()
      await desk.idle()
    },
    [Symbol.asyncDispose]: () => kiwi.close(),
  }
  return kiwi
}
