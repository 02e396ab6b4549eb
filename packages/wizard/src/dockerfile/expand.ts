import { DockerfileSyntaxError } from './errors.js'
import { type LexerOptions, lex } from './lexer.js'
import type { EscapeCharacter } from './types.js'

/** Gives a variable's value; undefined when it is not set. */
export type Variables = (name: string) => string | undefined

export interface ExpandOptions {
  readonly escape: EscapeCharacter
  /** The line an error is reported at. */
  readonly line?: number | undefined
}

/**
 * Expands variables and removes quotes the way builders do in ENV, COPY, WORKDIR and the like; white space is kept.
 * Builders do not expand RUN, CMD, ENTRYPOINT, SHELL, HEALTHCHECK: shells do that.
 */
export function expand(word: string, variables: Variables, options: ExpandOptions): string {
  return run(word, variables, options, {}).text
}

/** Expands a word that may become several, split at unquoted white space after expansion. Only `EXPOSE` asks for this. */
export function expandWords(word: string, variables: Variables, options: ExpandOptions): string[] {
  return run(word, variables, options, {}).words
}

/** Expands variables in the body of a heredoc: quotes are ordinary characters, and the escape character is always `\`. */
export function expandHeredoc(content: string, variables: Variables, options: { readonly line?: number } = {}): string {
  return run(content, variables, { ...options, escape: '\\' }, { literalQuotes: true }).text
}

function run(word: string, variables: Variables, options: ExpandOptions, more: Partial<LexerOptions>) {
  try {
    return lex(word, variables, { escape: options.escape, ...more })
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new DockerfileSyntaxError(`${error.message} in ${JSON.stringify(word)}`, {
      line: options.line ?? 1,
      column: 1,
      hint: `Put ${options.escape} before a $ or a quote that is meant literally.`,
    })
  }
}
