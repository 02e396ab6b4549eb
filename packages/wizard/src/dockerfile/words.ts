import type { EscapeCharacter } from './types.js'

/** White space as BuildKit splits keywords and lists: newlines are no part of it. */
const blanks = /[\t\v\f\r ]+/

/** Splits at white space outside quotes; quotes and escapes stay in the words. For ENV, LABEL and ARG. */
export function splitWords(text: string, escapeCharacter: EscapeCharacter): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index)
    if (quote === '' && /\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
      continue
    }
    const escapes = character === escapeCharacter && quote !== "'"
    if (escapes && index + 1 === text.length) break
    if (escapes) index += 1
    else if (character === quote) quote = ''
    else if (quote === '' && (character === '"' || character === "'")) quote = character
    word = (word ?? '') + (escapes ? character + text.charAt(index) : character)
  }
  return word === undefined ? words : [...words, word]
}

/** Splits at every run of white space; quotes mean nothing. For FROM, EXPOSE and the shell form of COPY, ADD, VOLUME. */
export function splitList(text: string): string[] {
  return text === '' ? [] : text.split(blanks)
}

/** Splits off the first word; undefined for the rest when there is only one. */
export function splitFirst(text: string): { first: string; rest: string | undefined } {
  const match = blanks.exec(text)
  if (match === null) return { first: text, rest: undefined }
  return { first: text.slice(0, match.index), rest: text.slice(match.index + match[0].length) }
}

/** Takes the leading `--flag` words, quotes removed, up to the first other word or `--`. */
export function splitFlags(text: string, escapeCharacter: EscapeCharacter): { flags: string[]; rest: string } {
  const flags: string[] = []
  let rest = text.trimStart()
  while (rest.startsWith('--')) {
    const { word, length } = readFlag(rest, escapeCharacter)
    rest = rest.slice(length).trimStart()
    if (word === '--') break
    flags.push(word)
  }
  return { flags, rest: rest.trimEnd() }
}

function readFlag(text: string, escapeCharacter: EscapeCharacter): { word: string; length: number } {
  let word = ''
  let quote = ''
  let index = 0
  for (; index < text.length; index += 1) {
    const character = text.charAt(index)
    if (quote === '' && /\s/.test(character)) break
    if (character === quote) quote = ''
    else if (quote === '' && (character === '"' || character === "'")) quote = character
    else if (character !== escapeCharacter) word += character
    else {
      index += 1
      word += text.charAt(index)
    }
  }
  return { word, length: index }
}
