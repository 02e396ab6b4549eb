import type { PlannedStage } from '@kiwi/wizard/dockerfile'
import type { Layer } from '../layers/index.js'
import { type Session, viewOf } from './session.js'
import type { SourceTree } from './source-tree.js'
import { viewTree } from './view-tree.js'

/** The layers of what `from` names: a stage that is done, or an image. */
export async function layersFrom(session: Session, stage: PlannedStage, from: string): Promise<readonly Layer[]> {
  const reference = stage.references[from]
  if (reference?.kind === 'stage') return session.drafts.get(reference.index)?.layers ?? []
  return reference?.kind === 'image' ? (await session.image(reference.reference)).layers : []
}

/** Their merged files. */
export async function treeFrom(
  session: Session,
  stage: PlannedStage,
  { from, layers }: { readonly from: string; readonly layers: readonly Layer[] },
): Promise<SourceTree> {
  const { layers: store } = session.workshop
  const view = await viewOf({ layers, willRun: false }, session)
  const name = stage.references[from]?.kind === 'stage' ? `stage ${from}` : `the image ${from}`
  return viewTree(name, view, { layers, store, signal: session.context.signal })
}
