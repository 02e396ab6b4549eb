import { lex } from './lexer.js'
import type { Heredoc } from './types.js'

/** A heredoc's opening word, before its body is read. */
export type HeredocOpening = Omit<Heredoc, 'content'>

/** The heredocs a logical line opens, in order. */
export function heredocsOf(line: string): HeredocOpening[] {
  if (!line.includes('<<')) return []
  const words = tryLex(line, { rawQuotes: true, rawEscapes: true }) ?? []
  return words.map(parseHeredoc).filter((heredoc) => heredoc !== undefined)
}

/** Reads one word such as `<<EOF`, `<<-"EOF"` or `3<<EOF`; undefined when it is none. */
export function parseHeredoc(word: string): HeredocOpening | undefined {
  const match = /^\d*<<(-?)\s*([^<]+)$/.exec(word)
  const written = match?.[2]
  if (written === undefined) return undefined
  const [name, ...more] = tryLex(written, {}) ?? []
  const [raw] = tryLex(written, { rawQuotes: true }) ?? []
  if (name === undefined || raw === undefined || more.length > 0) return undefined
  return { name, expand: countQuotes(name) === countQuotes(raw), stripTabs: match?.[1] === '-' }
}

/** The body with the leading tabs of each line removed, if the heredoc asks for it (`<<-`). */
export function stripTabs(heredoc: Heredoc): string {
  return heredoc.stripTabs ? heredoc.content.replace(/^\t+/gm, '') : heredoc.content
}

/** Heredoc names are always read with `\`, whatever the escape directive says. */
function tryLex(text: string, options: { rawQuotes?: boolean; rawEscapes?: boolean }): string[] | undefined {
  try {
    return lex(text, () => undefined, { escape: '\\', keepUnset: true, ...options }).words
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function countQuotes(text: string): number {
  return text.replace(/[^'"]/g, '').length
}
