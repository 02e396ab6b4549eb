import { type DirectiveReader, directiveReader } from './directives.js'
import { DockerfileSyntaxError } from './errors.js'
import { heredocsOf } from './heredoc.js'
import { parseJson } from './json-form.js'
import type { EscapeCharacter, Heredoc, Problem } from './types.js'
import { splitFirst, splitFlags } from './words.js'

/** One instruction, split into keyword, flags and the rest, its lines joined. */
export interface RawInstruction {
  /** In upper case, known or not. */
  readonly keyword: string
  readonly flags: readonly string[]
  readonly rest: string
  readonly heredocs: readonly Heredoc[]
  readonly line: number
  readonly endLine: number
  /** Continuations joined, comments left out, heredoc bodies appended. */
  readonly text: string
  /** The lines as they are in the file, to find the column of an error. */
  readonly source: readonly string[]
  readonly escape: EscapeCharacter
}

export interface ReadResult {
  readonly directives: DirectiveReader
  readonly instructions: readonly RawInstruction[]
  readonly problems: readonly Problem[]
}

interface Reading {
  readonly lines: readonly string[]
  /** Index of the next line. */
  next: number
  readonly directives: DirectiveReader
  readonly problems: Problem[]
}

/**
 * Cuts a Dockerfile into instructions by BuildKit's rules: continuation lines, comments inside them, heredocs.
 * A line that ends in two escape characters is not continued.
 */
export function readInstructions(text: string): ReadResult {
  const lines = text.replace(/^\uFEFF/, '').split(/(?<=\n)/)
  const reading: Reading = { lines, next: 0, directives: directiveReader(), problems: [] }
  const instructions: RawInstruction[] = []
  while (reading.next < lines.length) {
    const instruction = readInstruction(reading)
    if (instruction !== undefined) instructions.push(instruction)
  }
  return { directives: reading.directives, instructions, problems: reading.problems }
}

/** Splits one logical line; also used for what follows `ONBUILD`. */
export function splitInstruction(logical: string, escapeCharacter: EscapeCharacter) {
  const { first, rest = '' } = splitFirst(logical.trim())
  return { keyword: first.toUpperCase(), ...splitFlags(rest, escapeCharacter) }
}

function readInstruction(reading: Reading): RawInstruction | undefined {
  const start = reading.next
  const logical = readLogicalLine(reading)
  if (logical.trim() === '') return undefined
  const escapeCharacter = reading.directives.escape
  const split = splitInstruction(logical, escapeCharacter)
  const heredocs = takesHeredocs(split, escapeCharacter) ? readHeredocs(reading, logical, start) : []
  const bodies = heredocs.map(({ name, content }) => `\n${content}${name}`)
  return {
    ...split,
    heredocs,
    line: start + 1,
    endLine: reading.next,
    text: logical.trim() + bodies.join(''),
    source: reading.lines.slice(start, reading.next),
    escape: escapeCharacter,
  }
}

function readLogicalLine(reading: Reading): string {
  const first = takeLine(reading).trimStart()
  if (reading.directives.read(first, reading.next) || first.startsWith('#')) return ''
  let { text, continues } = trimContinuation(first, reading.directives.escape)
  while (continues && reading.next < reading.lines.length) {
    const line = takeLine(reading)
    if (line.trimStart().startsWith('#')) continue
    if (line.trim() === '') {
      reading.problems.push({
        line: reading.next,
        rule: 'empty-continuation-line',
        message: 'Empty line inside a continued instruction.',
      })
      continue
    }
    const trimmed = trimContinuation(line, reading.directives.escape)
    text += trimmed.text
    continues = trimmed.continues
  }
  return text
}

/** The next line without its newline. */
function takeLine(reading: Reading): string {
  const line = reading.lines[reading.next] ?? ''
  reading.next += 1
  return line.replace(/[\r\n]+$/, '')
}

function trimContinuation(line: string, escapeCharacter: EscapeCharacter): { text: string; continues: boolean } {
  const kept = line.replace(/[ \t]+$/, '')
  if (!kept.endsWith(escapeCharacter) || kept.endsWith(escapeCharacter + escapeCharacter))
    return { text: line, continues: false }
  return { text: kept.slice(0, -1), continues: true }
}

interface Split {
  readonly keyword: string
  readonly rest: string
}

function takesHeredocs({ keyword, rest }: Split, escapeCharacter: EscapeCharacter): boolean {
  if (keyword === 'ONBUILD')
    return takesHeredocs({ ...splitInstruction(rest, escapeCharacter), keyword: firstWord(rest) }, escapeCharacter)
  return ['ADD', 'COPY', 'RUN'].includes(keyword) && parseJson(rest).kind !== 'strings'
}

/** `ONBUILD ONBUILD` is refused later; here its heredocs are not looked for. */
function firstWord(text: string): string {
  const keyword = splitFirst(text.trim()).first.toUpperCase()
  return keyword === 'ONBUILD' ? '' : keyword
}

function readHeredocs(reading: Reading, logical: string, start: number): Heredoc[] {
  return heredocsOf(logical).map((opening) => {
    let content = ''
    while (reading.next < reading.lines.length) {
      const raw = reading.lines[reading.next] ?? ''
      const line = takeLine(reading)
      if ((opening.stripTabs ? line.replace(/^\t+/, '') : line) === opening.name) return { ...opening, content }
      content += raw
    }
    throw new DockerfileSyntaxError(`unterminated heredoc ${opening.name}`, {
      line: start + 1,
      column: 1,
      hint: `End the text with a line that is exactly ${opening.name}.`,
    })
  })
}
