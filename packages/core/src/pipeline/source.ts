import type { Revision } from '../contracts/v1/source.js'
import type { ReleaseRequest } from '../model/run.js'
import type { PipelineRun } from './pipeline-run.js'
import { step } from './step.js'

/** Resolves the ref to the one commit that everything after it is about. */
export function source(run: PipelineRun<ReleaseRequest>): Promise<Revision> {
  const { request, adapters } = run
  return step(run, 'source', {
    do: (context) => adapters.source(request.definition.source).resolve(request.ref, context),
    announce: ({ ref, commit, subject }) => ({
      type: 'source-resolved',
      ref,
      commit,
      ...(subject !== undefined && { subject }),
    }),
  })
}
