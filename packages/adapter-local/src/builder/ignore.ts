import ignore from '@balena/dockerignore'

/** Says which paths of a context builders do not see. */
export interface Ignored {
  ignores(path: string): boolean
  /** Whether a path below an ignored directory may be taken in again (`!`). */
  readonly hasExceptions: boolean
}

/** Reads the text of a `.dockerignore`, with the semantics of Docker's own matcher. */
export function readIgnore(text: string | undefined): Ignored {
  if (text === undefined || text.trim() === '') return { ignores: () => false, hasExceptions: false }
  const rules = ignore.default({ ignorecase: false }).add(text.replace(/^\ufeff/, ''))
  const known = new Map<string, boolean>()
  return {
    hasExceptions: /^\s*!/m.test(text),
    ignores(path) {
      let answer = known.get(path)
      if (answer === undefined) {
        answer = rules.ignores(path)
        known.set(path, answer)
      }
      return answer
    },
  }
}
