import type { CommandForm } from './types.js'

export type JsonForm =
  | { readonly kind: 'strings'; readonly strings: readonly string[] }
  /** Valid JSON array with something else than strings in it: builders refuse it. */
  | { readonly kind: 'mixed' }
  | { readonly kind: 'none' }

/** Reads a JSON array of strings. Everything that is no valid JSON array is `none`. */
export function parseJson(text: string): JsonForm {
  if (!text.trimStart().startsWith('[')) return { kind: 'none' }
  const value = tryParse(text)
  if (!Array.isArray(value)) return { kind: 'none' }
  const strings = value.filter((item) => typeof item === 'string')
  return strings.length === value.length ? { kind: 'strings', strings } : { kind: 'mixed' }
}

/** The exec form when the text is a JSON array of strings, else the shell form; undefined for a mixed array. */
export function parseCommandForm(text: string): CommandForm | undefined {
  const json = parseJson(text)
  if (json.kind === 'mixed') return undefined
  return json.kind === 'strings' ? { form: 'exec', argv: json.strings } : { form: 'shell', command: text }
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
