import { hash } from 'node:crypto'
import { KiwiError } from '@kiwi/core'
import {
  type AddInstruction,
  type CopyInstruction,
  expand,
  expandHeredoc,
  type PlannedStage,
  stripTabs,
} from '@kiwi/wizard/dockerfile'
import { type Layer, mergedView } from '../layers/index.js'
import { addLayer, cachedStep, findWhole, makeLayer } from './cached-step.js'
import { planCopy } from './copy-plan.js'
import { type CopySource, findSources, type Where } from './copy-sources.js'
import { type Draft, variablesOf, workingDirectory } from './draft.js'
import { readMode } from './file-mode.js'
import { keyOf } from './key.js'
import { belowOf, type Session, viewOf } from './session.js'
import type { SourceTree } from './source-tree.js'
import type { StepNote } from './steps.js'
import { findOwner } from './users.js'
import { viewTree } from './view-tree.js'

type Copy = CopyInstruction | AddInstruction

/** COPY and ADD. The key is what is copied and onto what; times and owners of the build context are no part of it. */
export async function copyStep(
  session: Session,
  draft: Draft,
  { id, instruction, stage }: { readonly id: string; readonly instruction: Copy; readonly stage: PlannedStage },
): Promise<StepNote> {
  const words = expandedWords(session, draft, instruction)
  const where: Where = { line: instruction.line, instruction: instruction.text }
  const below = instruction.link ? '' : belowOf(draft.layers)
  const what = [instruction.keyword, below, workingDirectory(draft.config), JSON.stringify(words)]
  const from = instruction.keyword === 'COPY' ? instruction.from : undefined
  const origin = { below, instruction: JSON.stringify([instruction.keyword, workingDirectory(draft.config), words]) }
  if (from === undefined) {
    const sources = await sourcesOf(session.tree, words, instruction, where)
    const files = filesOf(sources)
    const key = keyOf('copy', ...what, JSON.stringify(Object.entries(files)))
    return cachedStep(session, draft, {
      id,
      key,
      origin: { ...origin, files },
      make: () => write(session, draft, sources, words, instruction, where),
    })
  }
  const layers = await layersFrom(session, stage, from)
  const alias = keyOf('copy-from', ...what, belowOf(layers))
  const kept = await findWhole(session, alias)
  if (kept !== undefined) {
    session.origins[id] = { ...origin, below: keyOf(below) }
    addLayer(session, draft, kept)
    return { cachedFrom: 'layer cache' }
  }
  const tree = viewTree(describeFrom(stage, from), await viewOf(layers, session), {
    layers,
    store: session.workshop.layers,
    signal: session.context.signal,
  })
  const sources = await sourcesOf(tree, words, instruction, where)
  const files = filesOf(sources)
  const key = keyOf('copy', ...what, JSON.stringify(Object.entries(files)))
  return cachedStep(session, draft, {
    id,
    key,
    aliases: [alias],
    origin: { ...origin, files },
    make: () => write(session, draft, sources, words, instruction, where),
  })
}

interface Words {
  readonly sources: readonly string[]
  readonly destination: string
  readonly chown?: string | undefined
  readonly chmod?: string | undefined
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
    texts,
  }
}

async function sourcesOf(
  tree: SourceTree,
  { sources, texts }: Words,
  { keyword }: Copy,
  where: Where,
): Promise<CopySource[]> {
  const found = sources.length > 0 ? await findSources(tree, sources, where) : []
  if (keyword === 'ADD') for (const source of found) await refuseArchive(source, where)
  return [...found, ...texts.map(([name, text]) => textSource(name, text))]
}

/** A heredoc is a file of its name. */
function textSource(name: string, text: string): CopySource {
  const bytes = Buffer.from(text)
  const root = { path: name, type: 'file' as const, mode: 0o644, uid: 0, gid: 0, size: bytes.byteLength }
  const sha256 = hash('sha256', bytes, 'hex')
  const tree: SourceTree = {
    name: 'the Dockerfile',
    lookup: () => root,
    children: () => [],
    resolve: () => name,
    hash: () => sha256,
    content: () => bytes,
  }
  return { tree, name, root, files: [{ entry: root, path: '', sha256 }] }
}

/** By path as it is copied: everything that the layer depends on. */
function filesOf(sources: readonly CopySource[]): Record<string, string> {
  const rows = sources.flatMap(({ name, root, files }) =>
    files.map(({ entry, path, sha256 }): [string, string] => {
      const shown = root.type === 'directory' ? [root.path, path].filter(Boolean).join('/') || '.' : name
      return [
        shown,
        [
          entry.type,
          entry.mode.toString(8),
          `${entry.uid}:${entry.gid}`,
          entry.link ?? sha256 ?? '',
          JSON.stringify(entry.attributes ?? ''),
        ].join(' '),
      ]
    }),
  )
  return Object.fromEntries(rows)
}

async function write(
  session: Session,
  draft: Draft,
  sources: readonly CopySource[],
  words: Words,
  { link }: Copy,
  where: Where,
) {
  const view = link ? mergedView([]) : await viewOf(draft.layers, session)
  const owner =
    words.chown === undefined ? undefined : findOwner(words.chown, link ? await viewOf(draft.layers, session) : view)
  const target = {
    destination: words.destination,
    workingDirectory: workingDirectory(draft.config),
    owner,
    mode: words.chmod === undefined ? undefined : readMode(words.chmod, where),
    mtimeSeconds: session.request.createdAtSeconds,
  }
  return makeLayer(session, planCopy(sources, target, view, where))
}

async function layersFrom(session: Session, stage: PlannedStage, from: string): Promise<readonly Layer[]> {
  const reference = stage.references[from]
  if (reference?.kind === 'stage') return session.drafts.get(reference.index)?.layers ?? []
  return reference?.kind === 'image' ? (await session.image(reference.reference)).layers : []
}

function describeFrom({ references }: PlannedStage, from: string): string {
  return references[from]?.kind === 'stage' ? `stage ${from}` : `the image ${from}`
}

/** First bytes of what ADD would unpack, whatever its name. */
const archiveMarks: readonly (readonly [number, string])[] = [
  [0, '1f8b'],
  [0, '425a68'],
  [0, 'fd377a585a00'],
  [0, '28b52ffd'],
  [257, '7573746172'],
]

async function refuseArchive({ root, tree }: CopySource, { line, instruction }: Where): Promise<void> {
  if (root.type !== 'file') return
  const content = tree.content(root)
  let first: Uint8Array = new Uint8Array()
  if (content instanceof Uint8Array) first = content
  else {
    for await (const chunk of content()) {
      first = chunk
      break
    }
  }
  const hex = Buffer.from(first.subarray(0, 512)).toString('hex')
  if (!archiveMarks.some(([offset, mark]) => hex.startsWith(mark, offset * 2))) return
  throw new KiwiError('BUILDER_UNFIT', `line ${line}: this builder cannot unpack ${root.path} with ADD`, {
    hint: 'Use COPY and unpack it with RUN tar.',
    evidence: { path: root.path, line, instruction },
  })
}
