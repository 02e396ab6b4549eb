import { posix } from 'node:path'
import { KiwiError } from '../errors/kiwi-error.js'
import { compilePattern, type PathMatcher } from './ignore-pattern.js'

/** What the rules say of one path. Children are judged with their parent's judgement. */
export interface IgnoreJudgement {
  readonly ignored: boolean
  /** Which rules applied, by index: they apply to everything below as well. */
  readonly applied: readonly boolean[]
}

/** The rules of a `.dockerignore`. Paths are relative to the context, with `/`, without slashes at the ends. */
export interface IgnoreRules {
  /** `parent`: the judgement on the directory that the path lies in; left out at the root of the context. */
  judgement(path: string, parent?: IgnoreJudgement | undefined): IgnoreJudgement
  /** Whether something below an ignored directory may be wanted after all (`!`), so that it has to be walked. */
  mayWantBelow(directory: string, judgement: IgnoreJudgement): boolean
  /** The judgement of one path on its own, parents included. */
  ignores(path: string): boolean
}

interface Rule {
  readonly exception: boolean
  readonly matches: PathMatcher
  /** Its parts where each stands for one name; left out where it may match at any depth. */
  readonly names?: readonly PathMatcher[] | undefined
}

/**
 * Reads the text of a `.dockerignore` as Docker and BuildKit do (moby/patternmatcher): patterns are anchored at the context, the last one
 * that applies wins, `!` takes in again. Throws `CONTEXT_INVALID` naming the line of a pattern that Docker would refuse.
 * @example readIgnore('**\/node_modules\n*.md\n!README.md').ignores('docs/node_modules/a')
 */
export function readIgnore(text: string, file = '.dockerignore'): IgnoreRules {
  const rules = text
    .replace(/^\ufeff/, '')
    .split('\n')
    .flatMap((line, index) => ruleOf(line, index + 1, file))
  const judgement = (path: string, parent?: IgnoreJudgement) => judge(rules, path, parent)
  return {
    judgement,
    mayWantBelow(directory, { applied }) {
      const parts = directory.split('/')
      const decisive = applied.lastIndexOf(true)
      return rules.some((rule, index) => index > decisive && rule.exception && reachesBelow(rule, parts))
    },
    ignores(path) {
      const parts = path.split('/')
      let current: IgnoreJudgement | undefined
      for (let depth = 1; depth <= parts.length; depth += 1) {
        current = judgement(parts.slice(0, depth).join('/'), current)
      }
      return current?.ignored ?? false
    },
  }
}

/** As moby does while it walks: a rule is asked only where its answer would change something, and a parent's answer stays. */
function judge(rules: readonly Rule[], path: string, parent: IgnoreJudgement | undefined): IgnoreJudgement {
  let ignored = false
  const applied = rules.map(({ exception, matches }, index) => {
    const applies = parent?.applied[index] === true || (exception === ignored && matches(path))
    if (applies) ignored = !exception
    return applies
  })
  return { ignored, applied }
}

function reachesBelow({ names }: Rule, parts: readonly string[]): boolean {
  if (names === undefined) return true
  return names.length > parts.length && parts.every((part, index) => names[index]?.(part))
}

/** White space as Go trims it. */
const spaceAround = /^\p{White_Space}+|\p{White_Space}+$/gu

function ruleOf(line: string, number: number, file: string): Rule[] {
  if (line.startsWith('#')) return []
  const trimmed = line.replace(spaceAround, '')
  if (trimmed === '') return []
  const inverted = trimmed.startsWith('!')
  const rest = (inverted ? trimmed.slice(1) : trimmed).replace(spaceAround, '')
  const anchored = cleaned(rest).replace(/^\/(?=.)/, '')
  // Docker reads the result a second time, as a pattern with or without a `!`.
  const whole = cleaned(`${inverted ? '!' : ''}${anchored}`.replace(spaceAround, ''))
  if (whole === '') return []
  const exception = whole.startsWith('!')
  const pattern = exception ? whole.slice(1) : whole
  try {
    if (pattern === '') throw new SyntaxError('nothing after the !')
    const matches = compilePattern(pattern)
    return [{ exception, matches, names: namesOf(pattern) }]
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new KiwiError('CONTEXT_INVALID', `${file} line ${number}: '${trimmed}' is no pattern: ${cause.message}`, {
      cause,
      evidence: { path: file, line: number, pattern: trimmed },
      hint: 'Correct or remove that line; \\ escapes the character after it, / separates directories.',
    })
  }
}

/** Go's filepath.Clean, on a path with `/`. */
function cleaned(pattern: string): string {
  return pattern === '' ? '' : posix.normalize(pattern).replace(/(?<=.)\/$/, '')
}

/** A class may contain or match a slash, and `**` any number of them: those may match at any depth. */
function namesOf(pattern: string): readonly PathMatcher[] | undefined {
  if (pattern.includes('**') || /[[\\]/.test(pattern)) return undefined
  return pattern.split('/').map(compilePattern)
}
