import { fail } from './fail.js'
import { readFlags } from './flags.js'
import { parseHeredoc } from './heredoc.js'
import { parseJson } from './json-form.js'
import type { RawInstruction } from './reader.js'
import type { AddInstruction, CopyInstruction } from './types.js'
import { splitList } from './words.js'

const shared = { chown: 'text', chmod: 'text', link: 'boolean', exclude: 'list' } as const

/** COPY without its place. */
export function parseCopy(raw: RawInstruction): Omit<CopyInstruction, 'line' | 'endLine' | 'text'> {
  const { from, parents, link, ...flags } = readFlags(raw, { ...shared, from: 'text', parents: 'boolean' })
  if (/\$./.test(from ?? '')) {
    fail(raw, '--from takes no variables', 'Name a stage: FROM $IMAGE AS tools, then --from=tools.', `--from=${from}`)
  }
  return {
    keyword: 'COPY',
    ...flags,
    from: from || undefined,
    link: link ?? false,
    parents: parents ?? false,
    ...paths(raw),
  }
}

/** ADD without its place. */
export function parseAdd(raw: RawInstruction): Omit<AddInstruction, 'line' | 'endLine' | 'text'> {
  const {
    link,
    'keep-git-dir': keepGitDir,
    ...flags
  } = readFlags(raw, { ...shared, checksum: 'text', 'keep-git-dir': 'boolean', unpack: 'boolean' })
  return { keyword: 'ADD', ...flags, link: link ?? false, keepGitDir, ...paths(raw) }
}

function paths(raw: RawInstruction): Pick<CopyInstruction, 'sources' | 'heredocs' | 'destination'> {
  const json = parseJson(raw.rest)
  if (json.kind === 'mixed') {
    return fail(raw, `${raw.keyword} has an array that is not of strings only`, 'Quote every item with ".')
  }
  const words = json.kind === 'strings' ? json.strings : splitList(raw.rest)
  const destination = words.at(-1)
  if (destination === undefined || words.length < 2) {
    return fail(raw, `${raw.keyword} needs a source and a destination`, `Write ${raw.keyword} SOURCE DESTINATION.`)
  }
  if (parseHeredoc(destination) !== undefined) {
    return fail(raw, `${raw.keyword} cannot have a heredoc as its destination`, 'Put a path last.', destination)
  }
  const sources = words.slice(0, -1).filter((word) => parseHeredoc(word) === undefined)
  return { sources, heredocs: raw.heredocs, destination }
}
