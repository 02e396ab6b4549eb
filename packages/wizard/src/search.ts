import type { Files } from './files.js'
import type { Evidence, Found } from './stack.js'

/** The line, from 1, of the first match; undefined when there is none. */
export function lineOf(text: string, pattern: RegExp): number | undefined {
  const index = text.search(pattern)
  return index === -1 ? undefined : text.slice(0, index).split('\n').length
}

/** Evidence at the first match, or for the whole file when the pattern is not in it. */
export function evidenceAt(file: string, text: string, pattern: RegExp, rule: string): Evidence {
  return { file, line: lineOf(text, pattern), rule }
}

/** First group of the first match; patterns are tried in order, each on all files. */
export async function searchFiles(
  files: Files,
  paths: readonly string[],
  patterns: readonly RegExp[],
  rule: string,
): Promise<Found<string> | undefined> {
  const texts = await Promise.all(paths.map(async (file) => ({ file, text: (await files.read(file)) ?? '' })))
  for (const pattern of patterns) {
    for (const { file, text } of texts) {
      const value = pattern.exec(text)?.[1]
      if (value !== undefined) return { value, evidence: evidenceAt(file, text, pattern, rule) }
    }
  }
  return undefined
}

/** Source files worth searching: `first` ones, then the others, without tests; at most 200. */
export function sourcesAmong(paths: readonly string[], extension: RegExp, first: readonly string[]): string[] {
  const others = paths.filter(
    (path) =>
      extension.test(path) && !/(^|\/)(tests?|__tests__|spec|dist|build|examples?)\/|\.(test|spec)\./.test(path),
  )
  return [...new Set([...first.filter((path) => paths.includes(path)), ...others])].slice(0, 200)
}

export function describe({ file, line }: Evidence): string {
  return line === undefined ? file : `${file}:${line}`
}
