import type { Revision } from '../contracts/v1/source.js'
import { KiwiError } from '../errors/kiwi-error.js'

const variables = ['BRANCH', 'SHORT_SHA', 'TAG', 'BUILD_NUMBER'] as const
/** distribution/reference: up to 128 of [A-Za-z0-9_.-], not beginning with '.' or '-'. */
const legal = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/
const longest = 128

type Variable = (typeof variables)[number]
type Part = { readonly text: string } | { readonly variable: Variable }

/**
 * Refuses with `INPUT_INVALID` a rule that can give no legal tag, whatever the run: unknown variables, characters that no tag may have, more
 * than 128 characters. No rule is the default rule.
 */
export function checkTagRule(rule: string | undefined): void {
  const fault = rule === undefined ? undefined : faultOfTagRule(rule)
  if (fault !== undefined) throw refused(rule, fault)
}

/** What is wrong with a rule, if anything: a clause without the rule itself. */
export function faultOfTagRule(rule: string): string | undefined {
  const parts = partsOf(rule)
  if (typeof parts === 'string') return parts
  if (parts.length === 0) return 'it is empty'
  const [first] = parts
  if (first && 'text' in first && /^[.-]/.test(first.text)) return 'a tag cannot begin with a dot or a dash'
  const least = parts.reduce((length, part) => length + ('text' in part ? part.text.length : 1), 0)
  return least > longest ? `a tag has ${longest} characters at most` : undefined
}

/** Whether no two commits, or no two builds, get the same tag. */
export function isUniqueTagRule(rule: string | undefined): boolean {
  return rule === undefined || /\$\{(?:SHORT_SHA|BUILD_NUMBER)\}/.test(rule)
}

/**
 * The tag of one build: `${BRANCH}-${SHORT_SHA}` → `main-a1b2c3d`.
 *
 * Branches and git tags become legal so: every run of characters that no image tag may have becomes one dash, dashes at the ends of the value
 * and dots and dashes before the tag go (`feature/x` → `feature-x`). `feature/x` and a branch `feature-x` therefore share their name; that is
 * left so, because `${SHORT_SHA}` and `${BUILD_NUMBER}` tell them apart, and a plan warns where the rule has neither. A branch name is cut where
 * the tag would be longer than 128; nothing else is.
 *
 * Of a directory with uncommitted changes `${SHORT_SHA}` says so, and what the files are (`a1b2c3d-dirty-0f1e2d3`).
 *
 * Without a rule the tag is `${BRANCH}-${SHORT_SHA}`, of a git tag `${TAG}-${SHORT_SHA}`, of a bare commit `${SHORT_SHA}`.
 * Throws `INPUT_INVALID` as `checkTagRule` does, for a variable that the run lacks, and where no legal tag comes out.
 */
export function imageTag(rule: string | undefined, revision: Revision, buildNumber: number): string {
  checkTagRule(rule)
  const chosen = rule ?? defaultRule(revision)
  const values = valuesOf(revision, buildNumber)
  const parts = partsOf(chosen)
  if (typeof parts === 'string') throw refused(chosen, parts)
  const lacking = parts.find((part) => 'variable' in part && values[part.variable] === undefined)
  if (lacking && 'variable' in lacking) throw refused(chosen, `this run has no ${lacking.variable}`)
  const tag = join(parts, { ...values, BRANCH: shortBranch(parts, values) }).replace(/^[.-]+/, '')
  if (legal.test(tag)) return tag
  throw refused(
    chosen,
    tag === '' ? 'nothing that a tag may have is left' : `the tag has more than ${longest} characters`,
  )
}

function defaultRule({ branch, tag }: Revision): string {
  if (branch !== undefined) return '${BRANCH}-${SHORT_SHA}'
  return tag === undefined ? '${SHORT_SHA}' : '${TAG}-${SHORT_SHA}'
}

/** The parts of a rule, or what is wrong with it. */
function partsOf(rule: string): Part[] | string {
  const parts: Part[] = []
  for (const piece of rule.slice(0, 4096).split(/(\$\{[^{}]*\})/)) {
    const name = /^\$\{([^{}]*)\}$/.exec(piece)?.[1]
    const variable = variables.find((one) => one === name)
    if (variable !== undefined) parts.push({ variable })
    else if (name !== undefined)
      return `there is no variable ${JSON.stringify(name.slice(0, 40))}; there are ${variables.join(', ')}`
    else if (/[^A-Za-z0-9_.-]/.test(piece)) return 'beside variables, a tag has letters, digits and _ . - only'
    else if (piece !== '') parts.push({ text: piece })
  }
  return rule.length > 4096 ? `a tag has ${longest} characters at most` : parts
}

function valuesOf(
  { branch, commit, tag, dirty, contentDigest }: Revision,
  buildNumber: number,
): Readonly<Record<Variable, string | undefined>> {
  return {
    BRANCH: branch === undefined ? undefined : legalised(branch),
    // Uncommitted files are not those of the commit: their image must not take its tag.
    SHORT_SHA:
      legalised(dirty ? `${commit.slice(0, 7)}-dirty-${contentOf(contentDigest)}` : commit.slice(0, 7)) || undefined,
    TAG: tag === undefined ? undefined : legalised(tag),
    BUILD_NUMBER: Number.isSafeInteger(buildNumber) && buildNumber > 0 ? String(buildNumber) : undefined,
  }
}

/** First 7 digits. */
function contentOf(digest = ''): string {
  return digest.replace(/^sha256:/, '').slice(0, 7)
}

function legalised(value: string): string {
  return value.replace(/[^A-Za-z0-9_.-]+/g, '-').replace(/^-+|-+$/g, '')
}

/** The branch, cut so far that the tag is not too long. */
function shortBranch(parts: readonly Part[], values: Readonly<Record<Variable, string | undefined>>): string {
  const uses = parts.filter((part) => 'variable' in part && part.variable === 'BRANCH').length
  const others = join(parts, { ...values, BRANCH: '' }).length
  return (values.BRANCH ?? '').slice(0, Math.max(Math.floor((longest - others) / Math.max(uses, 1)), 0))
}

function join(parts: readonly Part[], values: Readonly<Record<Variable, string | undefined>>): string {
  return parts.map((part) => ('text' in part ? part.text : (values[part.variable] ?? ''))).join('')
}

function refused(rule: string | undefined, why: string): KiwiError {
  const shown = (rule ?? '').slice(0, 200)
  return new KiwiError('INPUT_INVALID', `the tag rule ${JSON.stringify(shown)} cannot be applied: ${why}`, {
    hint: `Mix text with ${variables.map((name) => `\${${name}}`).join(' ')}, and name only what every run has.`,
    evidence: { rule: shown },
  })
}
