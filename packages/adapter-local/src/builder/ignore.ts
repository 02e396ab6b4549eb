import { type IgnoreJudgement, readIgnore as readRules } from '@kiwi/core/context'

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
  const known = new Map<string, IgnoreJudgement>()
  const judgementOf = (path: string): IgnoreJudgement => {
    let judgement = known.get(path)
    if (judgement === undefined) {
      const slash = path.lastIndexOf('/')
      judgement = rules.judgement(path, slash < 0 ? undefined : judgementOf(path.slice(0, slash)))
      known.set(path, judgement)
    }
    return judgement
  }
  return {
    ignores: (path) => judgementOf(path).ignored,
    mayWantBelow: (directory) => rules.mayWantBelow(directory, judgementOf(directory)),
  }
}
