import { type IgnoreVerdict, readIgnore as readRules } from '@kiwi/core/context'

/** Says which paths of a context builders do not see; every path is judged once. */
export interface Ignored {
  ignores(path: string): boolean
  /** Whether a path below an ignored directory may be taken in again (`!`). */
  mayWantBelow(directory: string): boolean
}

/** Reads the text of a `.dockerignore`, with the semantics of Docker's own matcher. */
export function readIgnore(text: string | undefined): Ignored {
  if (text === undefined || text.trim() === '') return { ignores: () => false, mayWantBelow: () => true }
  const rules = readRules(text)
  const known = new Map<string, IgnoreVerdict>()
  const verdictOf = (path: string): IgnoreVerdict => {
    let verdict = known.get(path)
    if (verdict === undefined) {
      const slash = path.lastIndexOf('/')
      verdict = rules.verdict(path, slash < 0 ? undefined : verdictOf(path.slice(0, slash)))
      known.set(path, verdict)
    }
    return verdict
  }
  return {
    ignores: (path) => verdictOf(path).ignored,
    mayWantBelow: (directory) => rules.mayWantBelow(directory, verdictOf(directory)),
  }
}
