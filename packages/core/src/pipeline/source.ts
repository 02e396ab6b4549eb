import type { Revision } from '../contracts/v1/source.js'
import { environmentOf } from './lookup.js'
import type { SourceRun } from './pipeline-run.js'
import { requireSecrets } from './secrets.js'
import { step } from './step.js'

/** Resolves the ref to the one commit that everything after it is about; nothing begins while a secret is missing. */
export function source(run: SourceRun): Promise<Revision> {
  const { request, adapters } = run
  const { source: definition } = request.definition
  return step(run, 'source', {
    async do(context) {
      const token = 'token' in definition ? definition.token : undefined
      const env = request.kind === 'release' ? environmentOf({ ...run, request }).env : undefined
      await requireSecrets({ token, env, build: request.definition.build?.secrets }, context)
      const from = await adapters.source(definition)
      const { subject, ...revision } = await from.resolve(request.ref, context)
      return { ...revision, ...(subject !== undefined && { subject: run.redacted(subject) }) }
    },
    announce: ({ ref, commit, subject }) => ({
      type: 'source-resolved',
      ref,
      commit,
      ...(subject !== undefined && { subject }),
    }),
  })
}
