import { KiwiError } from '../errors/kiwi-error.js'
import { targetOf } from '../model/render.js'
import type { AdoptRequest } from '../model/run.js'
import { history } from '../release/history.js'
import type { Deployed, Deployment } from './deploy.js'
import { resolveImage } from './image.js'
import { environmentOf } from './lookup.js'
import type { PipelineRun } from './pipeline-run.js'
import { step } from './step.js'

/** The slot of what was there before the first release. */
const slot = 'r0'

/**
 * Takes over what runs already, restarting nothing. Rejects with `NOTHING_DEPLOYED` when nothing is there, `INPUT_INVALID` for an
 * environment that has releases, or a runtime that cannot, and where no registered registry has the image.
 */
export function adopt(run: PipelineRun<AdoptRequest>): Promise<Deployed> {
  const { service, environment: name, selector, definition } = run.request
  const environment = environmentOf(run)
  const target = targetOf(service, name, environment)
  return step<Deployment, Deployed>(run, 'deploy', {
    async intent() {
      const runtime = await run.adapters.runtimes.get(environment.runtime)
      const context = run.context('deploy')
      if ((await history(run.store, service, name)).length > 0)
        throw new KiwiError(
          'INPUT_INVALID',
          `${service} has releases in ${name}: only an environment without any can adopt`,
        )
      if (!runtime.adoptable || !runtime.adopt)
        throw new KiwiError('INPUT_INVALID', `a ${runtime.kind} runtime cannot take over what it did not start`)
      const found = await runtime.adoptable(target, selector, context)
      if (!found)
        throw new KiwiError('NOTHING_DEPLOYED', 'there is nothing that could be adopted', { evidence: { selector } })
      const reference = found.digest === undefined ? found.image : `${found.image.replace(/@.*$/, '')}@${found.digest}`
      const image = await resolveImage(run.adapters, definition, name, reference, context)
      const { spec, replicas } = found
      const releaseId = `${service}/${name}/0`
      return {
        number: 0,
        releaseId,
        subject: { image },
        procedure: 'scale',
        wanted: {
          slot,
          release: releaseId,
          image,
          spec,
          replicas,
          replaces: undefined,
          beforeSwitch: undefined,
          readyWithinMs: 0,
          tolerance: { restarts: 0, silenceMs: 0 },
        },
        verify: environment.verify,
        schemaChange: false,
        replaced: undefined,
      }
    },
    async do(context, deployment) {
      const runtime = await run.adapters.runtimes.get(environment.runtime)
      await runtime.claim(target, context)
      await runtime.adopt?.(target, selector, slot, context)
      return { deployment, addresses: [] }
    },
  })
}
