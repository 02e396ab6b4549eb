import type { Revision } from '../contracts/v1/source.js'
import { KiwiError } from '../errors/kiwi-error.js'

const defaultRule = '${BRANCH}-${SHORT_SHA}'

/**
 * Applies a tag rule to a revision: `${BRANCH}-${SHORT_SHA}` → `main-a1b2c3d`. What a tag may not contain becomes `-` (`feature/x` → `feature-x`).
 * A run of a bare commit has no branch: `${BRANCH}` is then `commit`. Throws `INPUT_INVALID` for unknown variables and ones the run lacks.
 */
export function imageTag(rule: string = defaultRule, revision: Revision): string {
  const values: Record<string, string | undefined> = {
    BRANCH: revision.branch ?? revision.tag ?? 'commit',
    SHORT_SHA: revision.commit.slice(0, 7),
    TAG: revision.tag,
  }
  const text = rule.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
    const value = values[name]
    if (value !== undefined) return value
    const why =
      name in values ? `this run has no ${name}` : `there is no variable ${name}; there are BRANCH, SHORT_SHA, TAG`
    throw new KiwiError('INPUT_INVALID', `the tag rule '${rule}' cannot be applied: ${why}`, { evidence: { rule } })
  })
  return legalTag(text)
}

/** distribution/reference: up to 128 of [A-Za-z0-9_.-], not beginning with '.' or '-'. */
function legalTag(text: string): string {
  return text
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, 128)
}
