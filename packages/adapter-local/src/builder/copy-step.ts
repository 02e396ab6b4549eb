import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type AddInstruction,
  type CopyInstruction,
  expand,
  expandHeredoc,
  type PlannedStage,
  stripTabs,
} from '@kiwi/wizard/dockerfile'
import { makeScratch, mergedView, type WrittenLayer } from '../layers/index.js'
import { addLayer, cachedStep, findWhole, makeLayer, shortened } from './cached-step.js'
import { planCopy } from './copy-plan.js'
import { type CopySource, findSources, type Where } from './copy-sources.js'
import { type Draft, variablesOf, workingDirectory } from './draft.js'
import { readMode } from './file-mode.js'
import { layersFrom, treeFrom } from './from-tree.js'
import { keyOf } from './key.js'
import { openArchive } from './open-archive.js'
import { belowOf, type Session, viewOf } from './session.js'
import type { SourceTree } from './source-tree.js'
import type { StepNote } from './steps.js'
import { textSource } from './text-source.js'
import { findOwner } from './users.js'

type Copy = CopyInstruction | AddInstruction

/** COPY and ADD. The key is what is copied and onto what; times and owners of the build context are no part of it. */
export async function copyStep(
  session: Session,
  draft: Draft,
  { id, instruction, stage }: { readonly id: string; readonly instruction: Copy; readonly stage: PlannedStage },
): Promise<StepNote> {
  const words = expandedWords(session, draft, instruction)
  const where: Where = { line: instruction.line, instruction: instruction.text }
  const below = isIndependent(instruction, words) ? '' : belowOf(draft.layers)
  const directory = workingDirectory(draft.config)
  const said = JSON.stringify([instruction.keyword, directory, words])
  const copy = { id, below, said, words, instruction, where }
  const from = instruction.keyword === 'COPY' ? instruction.from : undefined
  if (from === undefined) return copyFrom(session, draft, session.tree, copy)
  const named = await session.contexts.open(from, stage)
  if (named !== undefined) return copyFrom(session, draft, named, copy)
  const layers = await layersFrom(session, stage, from)
  const alias = keyOf('copy-from', below, said, belowOf(layers))
  const kept = await findWhole(session, alias)
  if (kept !== undefined) {
    session.origins[id] = shortened({ below, instruction: said, files: session.last[id]?.files }, draft)
    addLayer(session, draft, kept.result)
    return { cachedFrom: kept.cachedFrom }
  }
  const tree = await treeFrom(session, stage, { from, layers })
  return copyFrom(session, draft, tree, { ...copy, alias })
}

interface PreparedCopy {
  readonly id: string
  readonly below: string
  readonly said: string
  readonly words: Words
  readonly instruction: Copy
  readonly where: Where
  /** A key that is known before the files are looked at. */
  readonly alias?: string | undefined
}

async function copyFrom(session: Session, draft: Draft, tree: SourceTree, copy: PreparedCopy): Promise<StepNote> {
  const { id, below, said, words, where, alias } = copy
  const sources = await sourcesOf(tree, words, where)
  const rows = rowsOf(sources)
  return cachedStep(session, draft, {
    id,
    key: keyOf('copy', below, said, JSON.stringify(rows)),
    aliases: alias === undefined ? [] : [alias],
    origin: { below, instruction: said, files: Object.fromEntries(rows.map(([path, , digest]) => [path, digest])) },
    make: () => write(session, draft, sources, copy),
  })
}

/** With `--link` nothing below is looked at, unless for the number of a name. */
function isIndependent({ link }: Copy, { chown = '' }: Words): boolean {
  return link && /^[\d:]*$/.test(chown)
}

interface Words {
  readonly sources: readonly string[]
  readonly destination: string
  readonly chown?: string | undefined
  readonly chmod?: string | undefined
  /** What is left out. */
  readonly exclude: readonly string[]
  /** Whether archives become what is in them. */
  readonly unpack: boolean
  /** Content of heredocs by name. */
  readonly texts: readonly (readonly [string, string])[]
}

function expandedWords({ dockerfile }: Session, draft: Draft, instruction: Copy): Words {
  const variables = variablesOf(draft)
  const options = { escape: dockerfile.escape, line: instruction.line }
  const expanded = (word: string) => expand(word, variables, options)
  const texts = instruction.heredocs.map((heredoc) => {
    const text = stripTabs(heredoc)
    return [heredoc.name, heredoc.expand ? expandHeredoc(text, variables, options) : text] as const
  })
  return {
    sources: instruction.sources.map(expanded),
    destination: expanded(instruction.destination),
    chown: instruction.chown && expanded(instruction.chown),
    chmod: instruction.chmod && expanded(instruction.chmod),
    exclude: instruction.exclude.map(expanded),
    unpack: instruction.keyword === 'ADD' && instruction.unpack !== false,
    texts,
  }
}

async function sourcesOf(tree: SourceTree, { sources, texts, exclude }: Words, where: Where): Promise<CopySource[]> {
  const found = sources.length > 0 ? await findSources(tree, sources, where, exclude) : []
  return [...found, ...texts.map(([name, text]) => textSource(name, text, where))]
}

/** Path in the source, name in the image, and everything else that the layer depends on. */
export function rowsOf(sources: readonly CopySource[]): [path: string, name: string, digest: string][] {
  return sources.flatMap(({ name, root, files }) =>
    files.map(({ entry, path, sha256 }): [string, string, string] => {
      const { type, mode, uid, gid, link, attributes } = entry
      const digest = JSON.stringify([type, mode, uid, gid, link ?? sha256, attributes])
      return [entry.path || '.', root.type === 'directory' ? path : name, digest]
    }),
  )
}

async function write(
  session: Session,
  draft: Draft,
  sources: readonly CopySource[],
  { words, instruction, where }: PreparedCopy,
): Promise<WrittenLayer> {
  const independent = isIndependent(instruction, words)
  const image = independent ? mergedView([]) : await viewOf(draft, session)
  const target = {
    destination: words.destination,
    workingDirectory: workingDirectory(draft.config),
    owner: words.chown === undefined ? undefined : findOwner(words.chown, image),
    mode: words.chmod === undefined ? undefined : readMode(words.chmod, where),
    mtimeSeconds: session.request.createdAtSeconds,
  }
  const below = instruction.link ? mergedView([]) : image
  if (!words.unpack) return makeLayer(session, planCopy(sources, target, below, where))
  await using scratch = await makeScratch(session.workshop.directory)
  const ready = await withArchives(session, sources, { folder: scratch.directory, where })
  return await makeLayer(session, planCopy(ready, target, below, where))
}

async function withArchives(
  { context: { signal } }: Session,
  sources: readonly CopySource[],
  { folder, where }: { readonly folder: string; readonly where: Where },
): Promise<CopySource[]> {
  const ready: CopySource[] = []
  for (const source of sources) {
    const place = join(folder, String(ready.length))
    await mkdir(place)
    ready.push({ ...source, archive: await openArchive(source, place, { where, signal }) })
  }
  return ready
}
