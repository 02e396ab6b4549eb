import type { WorkdirInstruction } from '@kiwi/wizard/dockerfile'
import { cachedStep, makeLayer } from './cached-step.js'
import { planDirectory } from './copy-plan.js'
import { type Draft, workingDirectory } from './draft.js'
import { keyOf } from './key.js'
import { belowOf, type Session, viewOf } from './session.js'
import type { StepNote } from './steps.js'
import { findUser } from './users.js'

/** Makes the working directory where the image lacks it, as the current user's. */
export function workdirStep(
  session: Session,
  draft: Draft,
  { id, instruction }: { readonly id: string; readonly instruction: WorkdirInstruction },
): Promise<StepNote> {
  const below = belowOf(draft.layers)
  const directory = workingDirectory(draft.config)
  const user = draft.config.User ?? ''
  return cachedStep(session, draft, {
    id,
    key: keyOf('workdir', below, directory, user),
    origin: { below, instruction: `WORKDIR ${directory} ${user}` },
    async make() {
      const view = await viewOf(draft, session)
      const path = view.resolve(directory)
      if (path === '' || view.lookup(path)?.entry.type === 'directory') return undefined
      const where = { line: instruction.line, instruction: instruction.text }
      const owner = findUser(user, view)
      const mtimeSeconds = session.request.createdAtSeconds
      return makeLayer(session, planDirectory(path, { owner, mtimeSeconds }, view, where))
    },
  })
}
