import { randomUUID } from 'node:crypto'
import type { RunRow } from '../contracts/v1/store.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { type Run, runHandle } from '../events/run-handle.js'
import type { Build, Release } from '../model/release.js'
import { checkCommand, checkRequest } from '../model/request.js'
import type { Command, QueuePolicy, RunRequest } from '../model/run.js'
import { isSecretReference } from '../secrets/reference.js'
import { drive } from './drive.js'
import type { Engine } from './engine.js'
import { isOpen } from './run-row.js'

/** Who gives a command, and why. */
export type Order = Omit<Command, 'type'>

/** Takes runs in, hands out their handles, passes commands on. */
export interface RunDesk {
  /** `Result` is what runs of that kind end with. */
  start<Result extends Build | Release>(
    request: RunRequest,
    options: { readonly requestId?: string | undefined; readonly policy?: QueuePolicy | undefined },
  ): Promise<Run<Result>>
  follow(runId: string): Run
  /** Rejects with `RUN_UNKNOWN`. */
  known(runId: string): Promise<RunRow>
  /** Rejects with `RUN_UNKNOWN`, `RUN_ENDED`. */
  order(runId: string, command: Command): Promise<RunRow>
  /** The same, but answers for a run that has ended. */
  orderIfOpen(runId: string, command: Command): Promise<RunRow>
  /** A run that has rolled out may have passed the last look at its commands: the run as it is when it ends, or after a while. */
  endIfNear(row: RunRow): Promise<RunRow>
  resume(runId: string | undefined): Promise<readonly Run[]>
  /** Resolves when this process works on no run any more. */
  idle(): Promise<void>
}

/** A check of a new route takes about so long at most; the way back takes longer, and is not waited for. */
const nearMs = 15_000
const lookEveryMs = 50

export function runDesk(engine: Engine): RunDesk {
  const { store, hub, clock, closing } = engine
  const working = new Map<string, Promise<void>>()
  const follow = <Result extends Build | Release>(runId: string) =>
    runHandle<Result>(runId, { store, hub, clock, signal: closing })
  /** A store that is busy now is not busy for ever: the run goes on from its journal. */
  const persist = async (runId: string, scope: string) => {
    for (let pauseMs = 500; !closing.aborted; pauseMs = Math.min(2 * pauseMs, 30_000)) {
      try {
        return await drive(runId, scope, engine)
      } catch (thrown) {
        const error = KiwiError.from(thrown)
        hub.fail(runId, error)
        if (!error.retryable) return
        await clock.sleep(pauseMs, closing).catch(() => undefined)
      }
    }
  }
  const work = (runId: string, scope: string) => {
    if (working.has(runId)) return
    const job = persist(runId, scope).finally(() => working.delete(runId))
    working.set(runId, job)
  }
  const known = async (runId: string) => {
    const row = await store.run(runId)
    if (!row) throw new KiwiError('RUN_UNKNOWN', `there is no run ${runId}`)
    return row
  }
  const orderIfOpen = async (runId: string, command: Command) => {
    checkCommand(command)
    const before = await known(runId)
    if (!isOpen(before)) return before
    const row =
      (await store.command(runId, await withoutSecrets(engine, command, before.request), clock.now())) ?? before
    hub.nudge(runId)
    return row
  }
  return {
    follow,
    known,
    orderIfOpen,
    async start<Result extends Build | Release>(
      request: RunRequest,
      { requestId, policy }: { requestId?: string | undefined; policy?: QueuePolicy | undefined },
    ) {
      if (closing.aborted) throw new KiwiError('CLOSED', 'this Kiwi was closed: it takes no runs any more')
      checkRequest(request, { requestId, policy })
      const id = randomUUID()
      // Builds are nobody's turn: each has a scope of its own.
      const scope =
        request.environment === undefined ? `${request.service}//${id}` : `${request.service}/${request.environment}`
      const dedupe =
        requestId === undefined ? undefined : `${request.service}/${request.environment ?? ''}/${requestId}`
      const { runId } = await store.accept({
        runId: id,
        scope,
        request: await withoutSecrets(engine, request, request),
        dedupe,
        policy,
        nowMs: clock.now(),
      })
      const { scope: taken } = await known(runId)
      work(runId, taken)
      return follow<Result>(runId)
    },
    async order(runId, command) {
      const row = await known(runId)
      if (!isOpen(row))
        throw new KiwiError('RUN_ENDED', `run ${runId} has ended (${row.status}): it takes no ${command.type} any more`)
      return orderIfOpen(runId, command)
    },
    async endIfNear(before) {
      const { runId } = before
      const over = clock.now() + nearMs
      const near = (await store.steps(runId)).some(({ name, state }) => name === 'deploy' && state === 'done')
      let row = near ? await known(runId) : before
      while (near && isOpen(row) && clock.now() < over) {
        await clock.sleep(lookEveryMs, closing)
        row = await known(runId)
      }
      return row
    },
    async resume(runId) {
      const open = runId === undefined ? await store.runs({ unfinished: true }) : [await known(runId)]
      for (const { runId: id, scope } of open) work(id, scope)
      return open.map(({ runId: id }) => follow(id))
    },
    idle: async () => void (await Promise.allSettled(working.values())),
  }
}

/** What people write may quote a secret. The ones of the definition are looked up first, so that this process knows them. */
async function withoutSecrets<Said extends { readonly by: string; readonly reason?: string | undefined }>(
  engine: Engine,
  said: Said,
  { definition }: RunRequest,
): Promise<Said> {
  const { redactor } = engine
  if (said.reason === undefined) return said
  const token = 'token' in definition.source ? definition.source.token : undefined
  const environments = Object.values(definition.environments).flatMap(({ env }) => Object.values(env ?? {}))
  for (const reference of [token, ...environments].filter(isSecretReference))
    await engine.secret(reference, async () => undefined).catch(() => undefined) // one without a value cannot be quoted
  return { ...said, reason: redactor.text(said.reason) }
}
