import { KiwiError } from '../errors/kiwi-error.js'
import type { ChosenDockerfile } from './recipe.js'

/** Has the wizard write a Dockerfile for the files of a directory. Rejects with `STACK_UNKNOWN`, saying what was looked for. */
export async function askWizard(directory: string, baseImage: string | undefined): Promise<ChosenDockerfile> {
  const wizard = await import('@kiwi/wizard') // lazily: a service with a Dockerfile never needs it
  const { candidates, refusals, lookedFor } = await wizard.detect(wizard.directory(directory))
  const [best] = candidates
  if (!best) throw unknown(refusals, lookedFor)
  const { dockerfile, dockerignore, decisions } = wizard.generate(wizard.plan(best), { baseImage })
  const reasons = decisions.map(({ line, reason }) => `line ${line}: ${reason}`)
  return { from: 'wizard', path: 'Dockerfile', text: dockerfile, reasons, others: [], ignore: dockerignore }
}

function unknown(refusals: readonly { stack: string; reason: string }[], lookedFor: readonly string[]): KiwiError {
  const refused = refusals.map(({ stack, reason }) => `${stack}: ${reason}`)
  const why = refused.length > 0 ? refused.join('; ') : `looked for ${lookedFor.join('; ')}`
  return new KiwiError('STACK_UNKNOWN', `there is no Dockerfile, and the wizard cannot write one: ${why}`, {
    evidence: { refused, lookedFor },
  })
}
