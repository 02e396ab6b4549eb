import { KiwiError } from '../errors/kiwi-error.js'
import type { Release } from '../model/release.js'
import { guard, type Unprotected, unprotectedIn } from '../release/guard.js'
import { shelfOf } from '../release/protect.js'
import type { EnvironmentRun } from './pipeline-run.js'

/**
 * Has the registry keep what rollbacks need beside the release that was recorded. No release fails of it: what could not be kept is a warning,
 * and `kiwi.doctor` shows it until it is. No step: until the run has ended, a process that takes it over does it again (`always`), which
 * harms nothing; the one before may have been killed between the registry's answer and the look at what changed meanwhile.
 */
export async function protect(
  run: EnvironmentRun,
  release: Release,
  { always }: { readonly always: boolean },
): Promise<void> {
  const { image } = release
  if (!image || !isServices(run, release)) return
  const context = run.context('record')
  try {
    const answer = await guard(run, await shelfOf(run, image), { always }, context)
    for (const one of answer ? unprotectedIn(answer) : []) warn(run, one)
  } catch (error) {
    context.signal.throwIfAborted()
    warn(run, { address: `${image.registry}/${image.repository}`, because: KiwiError.from(error).message })
  }
}

/** Images of other people, which were only deployed, are theirs to keep. */
function isServices({ request }: EnvironmentRun, { image, buildNumber }: Release): boolean {
  const own = request.definition.image
  return buildNumber !== undefined || (own.registry === image?.registry && own.repository === image.repository)
}

function warn(run: EnvironmentRun, { address, digest, because }: Unprotected): void {
  const what = digest === undefined ? `what is needed in ${address}` : `${digest} in ${address}`
  const error = new KiwiError('IMAGE_UNPROTECTED', `${what} is not protected: ${because}`, {
    stage: 'record',
    evidence: { address, because, ...(digest !== undefined && { digest }) },
  })
  run.events.emit({ type: 'warning', error: error.toRecord() }, 'record')
}
