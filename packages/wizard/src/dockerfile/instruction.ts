import { fail } from './fail.js'
import { readFlags } from './flags.js'
import { parseHealthcheck } from './healthcheck.js'
import { parseCommandForm, parseJson } from './json-form.js'
import { type RawInstruction, splitInstruction } from './reader.js'
import { runFlags } from './run.js'
import { parseAdd, parseCopy } from './transfer.js'
import type { CommandForm, Instruction, Keyword, Located, OnbuildInstruction, Pair } from './types.js'
import { splitFirst, splitList, splitWords } from './words.js'

type Parser = (raw: RawInstruction) => Unplaced<Instruction>
type Unplaced<T> = T extends Located<string> ? Omit<T, 'line' | 'endLine' | 'text'> : never

const parsers: Readonly<Record<Keyword, Parser>> = {
  ADD: parseAdd,
  ARG: (raw) => ({ keyword: 'ARG', pairs: parseArgs(raw) }),
  CMD: (raw) => ({ keyword: 'CMD', command: parseCommand(raw) }),
  COPY: parseCopy,
  ENTRYPOINT: (raw) => ({ keyword: 'ENTRYPOINT', command: parseCommand(raw) }),
  ENV: (raw) => ({ keyword: 'ENV', pairs: parsePairs(raw) }),
  EXPOSE: (raw) => ({ keyword: 'EXPOSE', ports: atLeastOne(raw, splitList(raw.rest)) }),
  HEALTHCHECK: parseHealthcheck,
  LABEL: (raw) => ({ keyword: 'LABEL', pairs: parsePairs(raw) }),
  MAINTAINER: (raw) => ({ keyword: 'MAINTAINER', maintainer: one(raw) }),
  ONBUILD: (raw) => ({ keyword: 'ONBUILD', trigger: parseTrigger(raw) }),
  RUN: (raw) => ({ keyword: 'RUN', ...runFlags(raw), command: commandForm(raw), heredocs: raw.heredocs }),
  SHELL: (raw) => ({ keyword: 'SHELL', argv: parseShell(raw) }),
  STOPSIGNAL: (raw) => ({ keyword: 'STOPSIGNAL', signal: one(raw) }),
  USER: (raw) => ({ keyword: 'USER', user: one(raw) }),
  VOLUME: (raw) => ({ keyword: 'VOLUME', paths: parseVolumes(raw) }),
  WORKDIR: (raw) => ({ keyword: 'WORKDIR', path: one(raw) }),
}

/** Types one instruction other than FROM. */
export function typeInstruction(raw: RawInstruction): Instruction {
  const parser = isKeyword(raw.keyword) ? parsers[raw.keyword] : unknown(raw)
  const { line, endLine, text } = raw
  // Each parser returns one whole member of the union but for its place, which is added here.
  return { line, endLine, text, ...parser(raw) } as Instruction
}

function isKeyword(word: string): word is Keyword {
  return Object.hasOwn(parsers, word)
}

function unknown(raw: RawInstruction): never {
  const hint = `If this line continues the one above, end that one with ${raw.escape}. Instructions are FROM, ${Object.keys(parsers).join(', ')}.`
  return fail(raw, `unknown instruction ${raw.keyword}`, hint)
}

function one(raw: RawInstruction): string {
  readFlags(raw, {})
  return raw.rest === '' ? fail(raw, `${raw.keyword} needs an argument`, `Write ${raw.keyword} VALUE.`) : raw.rest
}

function atLeastOne<T>(raw: RawInstruction, words: readonly T[]): readonly T[] {
  readFlags(raw, {})
  return words.length > 0
    ? words
    : fail(raw, `${raw.keyword} needs at least one argument`, 'Add one or remove the line.')
}

function parseCommand(raw: RawInstruction): CommandForm {
  readFlags(raw, {})
  return commandForm(raw)
}

function commandForm(raw: RawInstruction): CommandForm {
  const hint = `Quote every item with ", as in ${raw.keyword} ["program", "1"].`
  return parseCommandForm(raw.rest) ?? fail(raw, `${raw.keyword} has an array that is not of strings only`, hint)
}

function parseShell(raw: RawInstruction): readonly string[] {
  readFlags(raw, {})
  const json = parseJson(raw.rest)
  if (json.kind === 'strings' && json.strings.length > 0) return json.strings
  return fail(raw, 'SHELL needs a JSON array of strings', 'Write SHELL ["/bin/bash", "-c"].')
}

function parseVolumes(raw: RawInstruction): readonly string[] {
  const json = parseJson(raw.rest)
  const paths = json.kind === 'strings' ? json.strings : json.kind === 'none' ? splitList(raw.rest) : []
  if (paths.some((path) => path.trim() === '')) fail(raw, 'VOLUME has an empty path', 'Remove it.')
  return atLeastOne(
    raw,
    paths.map((path) => path.trim()),
  )
}

function parseArgs(raw: RawInstruction): readonly { name: string; value?: string | undefined }[] {
  const pairs = atLeastOne(raw, splitWords(raw.rest, raw.escape)).map((word) => {
    const equals = word.indexOf('=')
    return equals === -1 ? { name: word } : { name: word.slice(0, equals), value: word.slice(equals + 1) }
  })
  if (pairs.some(({ name }) => name === '')) fail(raw, 'ARG has a value without a name', 'Write ARG NAME=VALUE.')
  return pairs
}

/** `NAME=VALUE ...`, or the old `NAME the rest of the line`. */
function parsePairs(raw: RawInstruction): readonly Pair[] {
  const words = atLeastOne(raw, splitWords(raw.rest, raw.escape))
  const hint = `Write ${raw.keyword} NAME=VALUE, with quotes around a value that has spaces.`
  if (!words[0]?.includes('=')) {
    const { first, rest } = splitFirst(raw.rest)
    return rest === undefined
      ? fail(raw, `${raw.keyword} ${first} has no value`, hint, first)
      : [{ name: first, value: rest }]
  }
  return words.map((word) => {
    const equals = word.indexOf('=')
    if (equals === -1) return fail(raw, `${raw.keyword} has ${JSON.stringify(word)} without a =`, hint, word)
    if (equals === 0) return fail(raw, `${raw.keyword} has a value without a name`, hint, word)
    return { name: word.slice(0, equals), value: word.slice(equals + 1) }
  })
}

function parseTrigger(raw: RawInstruction): OnbuildInstruction['trigger'] {
  readFlags(raw, {})
  const inner = { ...raw, ...splitInstruction(raw.rest, raw.escape), text: raw.text.replace(/^\S+\s+/, '') }
  if (inner.keyword === 'FROM' || inner.keyword === 'MAINTAINER' || inner.keyword === '') {
    fail(
      raw,
      `ONBUILD cannot have ${inner.keyword || 'nothing'} as its trigger`,
      'Write ONBUILD RUN, COPY or the like.',
    )
  }
  const trigger = inner.keyword === 'ONBUILD' ? undefined : typeInstruction(inner)
  if (trigger !== undefined && trigger.keyword !== 'ONBUILD') return trigger
  return fail(
    raw,
    'ONBUILD cannot be chained',
    'Write what the second ONBUILD carries in the image that uses this one.',
  )
}
