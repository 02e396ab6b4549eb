import type { Revision } from '../contracts/v1/source.js'
import type { ReleaseRequest } from '../model/run.js'
import { environmentOf } from './lookup.js'
import type { PipelineRun } from './pipeline-run.js'
import { requireSecrets } from './secrets.js'
import { step } from './step.js'

/** Resolves the ref to the one commit that everything after it is about; nothing begins while a secret is missing. */
export function source(run: PipelineRun<ReleaseRequest>): Promise<Revision> {
  const { request, adapters } = run
  return step(run, 'source', {
    async do(context) {
      const { token } = request.definition.source
      await requireSecrets({ token, env: environmentOf(run).env }, context)
      return adapters.source(request.definition.source).resolve(request.ref, context)
    },
    announce: ({ ref, commit, subject }) => ({
      type: 'source-resolved',
      ref,
      commit,
      ...(subject !== undefined && { subject }),
    }),
  })
}
