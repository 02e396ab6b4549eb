import { removePrefix, removeSuffix, replacePattern } from './pattern.js'

export interface LexerOptions {
  readonly escape: string
  /** Keep quotes in the result. */
  readonly rawQuotes?: boolean
  /** Keep escape characters in the result. */
  readonly rawEscapes?: boolean
  /** Quotes are ordinary characters. */
  readonly literalQuotes?: boolean
  /** Leave a variable that is not set as it is written. */
  readonly keepUnset?: boolean
}

type Lookup = (name: string) => string | undefined

interface Scan {
  readonly characters: readonly string[]
  position: number
  readonly lookup: Lookup
  readonly options: LexerOptions
}

/**
 * Splits and expands in the manner of a shell, following BuildKit's `shell.Lex`.
 * `text` keeps white space, `words` are split at unquoted white space after expansion. Throws SyntaxError.
 */
export function lex(source: string, lookup: Lookup, options: LexerOptions): { text: string; words: string[] } {
  return scanUntil({ characters: Array.from(source), position: 0, lookup, options }, undefined, options.rawEscapes)
}

function scanUntil(scan: Scan, stop: string | undefined, rawEscapes = false) {
  let text = ''
  const words = wordSplitter()
  for (let character = peek(scan); character !== undefined; character = peek(scan)) {
    if (character === stop) {
      scan.position += 1
      return { text, words: words.end() }
    }
    const piece = scanPiece(scan, character, rawEscapes)
    text += piece.text
    words.add(piece)
  }
  if (stop !== undefined) throw new SyntaxError(`missing ${stop}`)
  return { text, words: words.end() }
}

/** `splits`: white space in the piece ends a word. */
interface Piece {
  readonly text: string
  readonly splits: boolean
}

function scanPiece(scan: Scan, character: string, rawEscapes: boolean): Piece {
  const quotes = scan.options.literalQuotes !== true
  if (character === '$') return { text: scanDollar(scan), splits: true }
  if (character === '<') return { text: scanAngle(scan), splits: false }
  if (character === "'" && quotes) return { text: scanSingleQuoted(scan), splits: false }
  if (character === '"' && quotes) return { text: scanDoubleQuoted(scan, rawEscapes), splits: false }
  scan.position += 1
  if (character !== scan.options.escape) return { text: character, splits: true }
  const escaped = next(scan) ?? ''
  return { text: (rawEscapes ? character : '') + escaped, splits: false }
}

function wordSplitter() {
  const words: string[] = []
  let word = ''
  return {
    add({ text, splits }: Piece) {
      for (const character of splits ? Array.from(text) : [text]) {
        if (!splits || !/\s/u.test(character)) word += character
        else if (word !== '') {
          words.push(word)
          word = ''
        }
      }
    },
    end: () => (word === '' ? words : [...words, word]),
  }
}

/** The blanks between `<<` and the name of a heredoc belong to its word. */
function scanAngle(scan: Scan): string {
  scan.position += 1
  if (peek(scan) !== '<') return '<'
  scan.position += 1
  let blanks = ''
  for (let character = peek(scan); character === ' ' || character === '\t' || character === '\r'; ) {
    blanks += character
    scan.position += 1
    character = peek(scan)
  }
  return `<<${blanks}`
}

function scanSingleQuoted(scan: Scan): string {
  scan.position += 1
  let text = ''
  for (let character = next(scan); character !== "'"; character = next(scan)) {
    if (character === undefined) throw new SyntaxError("missing closing '")
    text += character
  }
  return scan.options.rawQuotes ? `'${text}'` : text
}

function scanDoubleQuoted(scan: Scan, rawEscapes: boolean): string {
  const { escape: escapeCharacter, rawQuotes } = scan.options
  scan.position += 1
  let text = ''
  for (let character = peek(scan); character !== '"'; character = peek(scan)) {
    if (character === undefined) throw new SyntaxError('missing closing "')
    if (character === '$') {
      text += scanDollar(scan)
      continue
    }
    scan.position += 1
    if (character !== escapeCharacter) text += character
    else text += scanEscapeInQuotes(scan, rawEscapes)
  }
  scan.position += 1
  return rawQuotes ? `"${text}"` : text
}

/** Inside double quotes the escape character escapes `"`, `$` and itself; before anything else it is an ordinary character. */
function scanEscapeInQuotes(scan: Scan, rawEscapes: boolean): string {
  const { escape: escapeCharacter } = scan.options
  const kept = rawEscapes ? escapeCharacter : ''
  const following = peek(scan)
  if (following === undefined) return kept
  if (following !== '"' && following !== '$' && following !== escapeCharacter) return kept + escapeCharacter
  scan.position += 1
  return kept + following
}

function scanDollar(scan: Scan): string {
  scan.position += 1
  if (peek(scan) !== '{') {
    const name = scanName(scan)
    if (name === '') return '$'
    return scan.lookup(name) ?? (scan.options.keepUnset ? `$${name}` : '')
  }
  scan.position += 1
  const first = peek(scan)
  if (first === undefined) throw new SyntaxError('missing }')
  if (first === '{' || first === '}' || first === ':') throw new SyntaxError('bad substitution')
  return scanBraces(scan, scanName(scan))
}

function scanBraces(scan: Scan, name: string): string {
  const operator = next(scan)
  const value = scan.lookup(name)
  if (operator === '}') return value ?? (scan.options.keepUnset ? `\${${name}}` : '')
  if (operator === '/') return substituteReplacing(scan, name, value)
  if (operator === '#' || operator === '%') return substituteTrimming(scan, name, value, operator)
  if (operator !== ':') return substituteDefault(scan, name, value, operator, false)
  return substituteDefault(scan, name, value, next(scan), true)
}

function substituteDefault(
  scan: Scan,
  name: string,
  value: string | undefined,
  operator: string | undefined,
  emptyIsUnset: boolean,
): string {
  if (operator === undefined) throw new SyntaxError('missing }')
  if (operator !== '-' && operator !== '+' && operator !== '?') {
    throw new SyntaxError(`unsupported modifier ${emptyIsUnset ? ':' : ''}${operator}`)
  }
  const word = scanUntil(scan, '}').text
  if (value === undefined && scan.options.keepUnset) return `\${${name}${emptyIsUnset ? ':' : ''}${operator}${word}}`
  const missing = value === undefined || (emptyIsUnset && value === '')
  if (operator === '+') return missing ? '' : word
  if (!missing) return value
  if (operator === '-') return word
  throw new SyntaxError(`${name}: ${word || `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`}`)
}

function substituteTrimming(scan: Scan, name: string, value: string | undefined, operator: '#' | '%'): string {
  const word = scanUntil(scan, '}', true).text
  if (value === undefined) return scan.options.keepUnset ? `\${${name}${operator}${word}}` : ''
  const greedy = word.startsWith(operator)
  const pattern = greedy ? word.slice(1) : word
  return operator === '#' ? removePrefix(value, pattern, greedy) : removeSuffix(value, pattern, greedy)
}

function substituteReplacing(scan: Scan, name: string, value: string | undefined): string {
  const all = peek(scan) === '/'
  if (all) scan.position += 1
  const pattern = scanUntil(scan, '/', true).text
  const replacement = scanUntil(scan, '}', true).text
  if (value === undefined) return scan.options.keepUnset ? `\${${name}/${pattern}/${replacement}}` : ''
  return replacePattern(value, pattern, replacement, all)
}

/** Letters, digits and `_`; or digits alone; or one special parameter such as `$@`. */
function scanName(scan: Scan): string {
  const first = peek(scan) ?? ''
  if (/^[@*#?\-$!]$/.test(first)) return next(scan) ?? ''
  const part = /^\p{Nd}$/u.test(first) ? /^\p{Nd}$/u : /^[\p{L}\p{Nd}_]$/u
  let name = ''
  for (let character = peek(scan); character !== undefined && part.test(character); character = peek(scan)) {
    name += character
    scan.position += 1
  }
  return name
}

function peek(scan: Scan): string | undefined {
  return scan.characters[scan.position]
}

function next(scan: Scan): string | undefined {
  const character = scan.characters[scan.position]
  scan.position += 1
  return character
}
