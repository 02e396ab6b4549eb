import type { Context } from '../contracts/v1/context.js'
import type { Engine } from '../journal/engine.js'
import type { Needs } from './needs.js'
import { type Shelf, shelfOf } from './protect.js'
import { partsOf } from './shelf-tags.js'

/** Parts of needed indexes in the repository. */
export async function neededParts(
  engine: Pick<Engine, 'adapters'>,
  shelf: Shelf,
  {
    needs,
    slots,
    foreign,
  }: { readonly needs: Needs; readonly slots?: ReadonlyMap<string, string>; readonly foreign?: ReadonlySet<string> },
  context: Context,
): Promise<ReadonlyMap<string, string>> {
  const here = await neededNear(engine, shelf, needs)
  const anywhere = [...needs.open, ...(slots?.keys() ?? []), ...(foreign ?? [])] // where those lie is not recorded
  return partsOf(shelf, new Set([...here, ...anywhere]), context)
}

/** Digests of needed images that lie in the repository, by whatever name it is registered: one registry may have two addresses. */
async function neededNear(engine: Pick<Engine, 'adapters'>, shelf: Shelf, needs: Needs): Promise<string[]> {
  const sameName = needs.images.filter(({ repository }) => repository === shelf.repository)
  return [...(await neededOn(engine, shelf, needs)), ...sameName.map(({ digest }) => digest)]
}

/** Digests of needed images that lie in the repository. */
export async function neededOn(engine: Pick<Engine, 'adapters'>, shelf: Shelf, { images }: Needs): Promise<string[]> {
  const here = new Set<string>()
  for (const image of images) {
    const at = await shelfOf(engine, image).catch(() => undefined) // a registry that is registered no more
    if (at?.address === shelf.address) here.add(image.digest)
  }
  return [...here]
}
