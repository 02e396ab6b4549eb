import type { Json } from '../contracts/v1/json.js'
import type { DocumentWrite } from '../contracts/v1/store.js'
import type { ErrorRecord } from '../errors/kiwi-error.js'
import type { EventBody } from '../events/event.js'
import type { Release } from '../model/release.js'
import { holdDocuments } from '../release/holds.js'
import { quarantineOf } from '../release/quarantine.js'
import { keepOf } from '../release/retention.js'
import type { Deployed, Deployment } from './deploy.js'
import type { EnvironmentRun } from './pipeline-run.js'
import { protect } from './protect.js'
import { step } from './step.js'

/** Writes the release into the history: once, in the transaction that ends the step. Then its registry is told what to keep. */
export async function record(run: EnvironmentRun, { deployment, addresses }: Deployed): Promise<Release> {
  const resumed = run.journal.has('record')
  const release = await step<{ readonly at: number }, Release>(run, 'record', {
    intent: () => ({ at: run.clock.now() }),
    do: async (_, { at }) => releaseOf(run, deployment, { at, addresses, error: undefined }),
    announce: recorded,
    documents: async (release) => [releaseDocument(release), ...(await holds(run, release))],
  })
  await protect(run, release, { always: resumed })
  return release
}

function holds({ store, request }: EnvironmentRun, release: Release): Promise<DocumentWrite[]> {
  return holdDocuments(store, release, keepOf(request.definition, release.environment))
}

/**
 * The history's row for a run that failed after its deployment was wanted; nothing for one that never got there, nor for an adopt: what runs
 * is as it was, and can still be taken over as release 0.
 */
export function failedRelease(run: EnvironmentRun, error: ErrorRecord): Release | undefined {
  if (run.request.kind === 'adopt') return undefined
  const intent = run.journal.get('deploy')?.intent as unknown as Deployment | undefined // written by pipeline/deploy.ts
  return intent && releaseOf(run, intent, { at: run.clock.now(), addresses: [], error })
}

/** What is kept of it: its row, and a digest that is to blame. */
export function failureDocuments(release: Release, error: ErrorRecord): DocumentWrite[] {
  const quarantine = quarantineOf(release, error)
  return [releaseDocument(release), ...(quarantine ? [quarantine] : [])]
}

export function recorded({ id, number, status }: Release): EventBody {
  return { type: 'release-recorded', releaseId: id, number, status }
}

function releaseDocument(release: Release): DocumentWrite {
  return { kind: 'release', key: release.id, value: release as unknown as Json, once: true }
}

function releaseOf(
  run: EnvironmentRun,
  { number, releaseId, subject, procedure, wanted, verify, schemaChange, replaced }: Deployment,
  { at, addresses, error }: Pick<Release, 'at' | 'addresses' | 'error'>,
): Release {
  const { service, environment, kind, by, reason } = run.request
  const began = Math.min(...[...run.journal.values()].map(({ since }) => since))
  const gone = procedure === 'remove'
  return {
    id: releaseId,
    service,
    environment,
    number,
    kind,
    status: error ? 'failed' : 'succeeded',
    runId: run.id,
    at,
    durationMs: at - began,
    deployer: by,
    reason,
    image: gone ? undefined : subject.image,
    commit: subject.commit,
    ref: subject.ref,
    buildNumber: subject.buildNumber,
    slot: gone ? undefined : wanted.slot,
    spec: gone ? undefined : wanted.spec,
    replicas: gone ? 0 : wanted.replicas,
    strategy: procedure === 'scale' || procedure === 'remove' ? undefined : procedure,
    verify,
    schemaChange,
    replaced,
    of: subject.of,
    addresses,
    error,
  }
}
