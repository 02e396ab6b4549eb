import type { InstanceLog } from '../contracts/v1/runtime.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Engine } from '../journal/engine.js'
import { logLines } from '../journal/log-lines.js'
import { lookingContext } from '../journal/looking-context.js'
import { targetOf } from '../model/render.js'
import { named } from '../registers/named.js'
import { definitionOf } from '../registers/services.js'
import type { Redactor } from '../secrets/redactor.js'
import { isSecretReference } from '../secrets/reference.js'
import { current, history } from './history.js'

export interface InstanceLogOptions {
  /** Default: the slot of the current release. */
  readonly slot?: string | undefined
  /** Milliseconds since 1970. */
  readonly since?: number | undefined
  readonly follow?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** Lines of the instances of a slot, without the secrets that Kiwi knows. Rejects with `NOTHING_DEPLOYED`, `INPUT_INVALID` for a runtime that keeps none. */
export async function* instanceLogs(
  engine: Engine,
  service: string,
  environment: string,
  { slot: asked, since, follow = false, signal }: InstanceLogOptions,
): AsyncGenerator<InstanceLog> {
  const { store, adapters, redactor } = engine
  const definition = await definitionOf(store, service, environment)
  const settings = named(definition.environments, environment, 'environment')
  const releases = await history(store, service, environment)
  const slot = asked ?? current(releases)?.slot
  if (slot === undefined) throw new KiwiError('NOTHING_DEPLOYED', `nothing of ${service} is deployed to ${environment}`)
  const runtime = await adapters.runtimes.get(settings.runtime)
  if (!runtime.logs) throw new KiwiError('INPUT_INVALID', `a ${runtime.kind} runtime keeps no output of instances`)
  const looking = lookingContext(engine)
  const context = { ...looking, signal: signal ? AbortSignal.any([signal, looking.signal]) : looking.signal }
  // The redactor of this process must know what the instances were given, also by a run that another process has under way.
  const open = await store.runs({ service, environment, unfinished: true })
  const wanted = [definition, ...open.map(({ request }) => request.definition)]
  const specs = [
    ...releases.filter((release) => release.slot === slot).map(({ spec }) => spec?.env ?? {}),
    ...wanted.map(({ environments }) => environments[environment]?.env ?? {}),
  ]
  for (const reference of specs.flatMap((env) => Object.values(env)).filter(isSecretReference))
    await context.secret(reference, async () => undefined).catch(() => undefined) // one that has no value any more cannot be known
  const target = targetOf(service, environment, settings)
  yield* withoutSecrets(runtime.logs(target, slot, { since, follow }, context), redactor)
}

/** A secret may be split over lines (folded base64): each instance's lines are one stream to the redactor, which may hold a line back for the next. */
async function* withoutSecrets(lines: AsyncIterable<InstanceLog>, redactor: Redactor): AsyncGenerator<InstanceLog> {
  const ready: InstanceLog[] = []
  let at: number | undefined
  const shown = logLines(redactor, ({ step: instance = '', stream, text }) =>
    ready.push({ instance, stream, text, ...(at !== undefined && { at }) }),
  )
  for await (const { instance, stream, text, at: time } of lines) {
    at = time
    shown.add(new TextEncoder().encode(`${text}\n`), { step: instance, stream })
    yield* ready.splice(0)
  }
  shown.end()
  yield* ready
}
