import { isUniqueTagRule } from '../model/tag.js'

const patterns: Readonly<Record<string, string>> = {
  '${BRANCH}': '[A-Za-z0-9_.-]+',
  '${TAG}': '[A-Za-z0-9_.-]+',
  '${SHORT_SHA}': '[0-9a-f]{7}(?:-dirty-[0-9a-f]{7})?',
  '${BUILD_NUMBER}': '[1-9][0-9]*',
}

/** What tags of a rule look like; `undefined` for a rule whose tags cannot be told from those that people give. */
export function tagPattern(rule: string | undefined): RegExp | undefined {
  if (!isUniqueTagRule(rule)) return undefined
  const chosen = rule ?? '${BRANCH}-${SHORT_SHA}'
  const parts = chosen.split(/(\$\{[^{}]*\})/).map((part) => patterns[part] ?? escaped(part))
  const bare = rule === undefined ? `|${patterns['${SHORT_SHA}']}` : '' // of a commit that was named without a branch
  return new RegExp(`^(?:${parts.join('')}${bare})$`)
}

function escaped(text: string): string {
  return text.replace(/[.-]/g, '\\$&')
}
