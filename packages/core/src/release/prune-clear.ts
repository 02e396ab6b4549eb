import type { Context } from '../contracts/v1/context.js'
import type { Json } from '../contracts/v1/json.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Engine } from '../journal/engine.js'
import { buildDocument, buildOf } from './builds.js'
import { guard } from './guard.js'
import { holdBeside } from './holds.js'
import { neededOn, neededParts } from './needed-here.js'
import { type KeepRules, type Needs, needsOf } from './needs.js'
import type { Protected, Shelf } from './protect.js'
import type { Item, Survey } from './prune-survey.js'

export interface Cleared {
  readonly removed: readonly Item[]
  /** Needed since the survey. */
  readonly kept: Survey['kept']
  readonly failed: Survey['failed']
  readonly protected: readonly Protected[]
}

/**
 * Protects, then removes one image after the other. Whether it is still unneeded is asked before each, as runs go on meanwhile; a build says
 * that it is pruned only once its image is gone, so that one that was killed halfway is finished by the next.
 */
export async function clear(
  engine: Engine,
  { unneeded, shelves }: Pick<Survey, 'unneeded' | 'shelves'>,
  { rules, protect }: { readonly rules: KeepRules; readonly protect: boolean },
  context: Context,
): Promise<Cleared> {
  const [removed, kept, failed, guarded] = [[], [], [], []] as [
    Item[],
    Survey['kept'][number][],
    Survey['failed'][number][],
    Protected[],
  ]
  const latest = latestNeeds(engine, rules)
  for (const shelf of shelves) {
    const guard = protect ? await guardOn(engine, shelf, (await latest()).needs, context) : undefined
    if (guard) guarded.push(guard)
    let parts: { readonly of: Needs; readonly found: ReadonlyMap<string, string> } | undefined
    for (const item of unneeded.filter((one) => one.shelf === shelf)) {
      try {
        if (guard?.failed !== undefined)
          throw new KiwiError('REGISTRY_FAILED', `what is needed beside it could not be protected: ${guard.failed}`)
        const { needs } = await latest()
        if (parts?.of !== needs) parts = { of: needs, found: await neededParts(engine, shelf, { needs }, context) }
        const parent = parts.found.get(item.digest)
        const reasons = [
          ...(needs.digests.get(item.digest) ?? []),
          ...(parent === undefined ? [] : [`part of the index ${parent}, which is needed`]),
        ]
        if (reasons.length > 0) kept.push({ item, reasons })
        else {
          await remove(engine, item, context)
          removed.push(item)
        }
      } catch (error) {
        context.signal.throwIfAborted()
        failed.push({ reference: item.reference, because: KiwiError.from(error).message })
      }
    }
  }
  return { removed, kept, failed, protected: guarded }
}

/** A registry that keeps nothing by itself has nothing to be told. */
async function guardOn(engine: Engine, shelf: Shelf, needs: Needs, context: Context): Promise<Protected | undefined> {
  if (!shelf.registry.protect) return undefined
  await holdBeside(engine, shelf, await neededOn(engine, shelf, needs))
  const redacted = <T>(value: T) => engine.redactor.json(value as unknown as Json) as unknown as T // plain JSON keeps its shape
  return guard({ ...engine, redacted }, shelf, { always: true }, context)
}

/** Already gone is gone: a prune that was killed had removed it. */
async function remove({ store }: Engine, { shelf, digest, builds }: Item, context: Context): Promise<void> {
  const { registry, repository } = shelf
  if (!registry.remove) throw new KiwiError('INPUT_INVALID', `a ${registry.kind} registry cannot remove images`)
  await registry.remove({ repository, reference: digest }, context)
  for (const { service, number } of builds) {
    const build = await buildOf(store, service, number)
    if (build.image?.digest === digest) await store.documents.put(buildDocument({ ...build, pruned: true }))
  }
}

/** What is needed now; read again only when a run was accepted, went on or ended since. */
function latestNeeds({ store }: Engine, rules: KeepRules): () => Promise<{ readonly needs: Needs }> {
  let known: { readonly at: string; readonly needs: Needs } | undefined
  return async () => {
    const [newest, open] = await Promise.all([store.runs({ limit: 1 }), store.runs({ unfinished: true })])
    const rows: Json = [...newest, ...open].map(({ runId, lastSeq }) => [runId, lastSeq])
    const at = JSON.stringify(rows)
    if (known?.at !== at) known = { at, needs: await needsOf({ store }, rules) }
    return known
  }
}
