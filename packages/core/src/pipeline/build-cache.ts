import type { BuildCacheEnds } from '../contracts/v1/builder.js'
import type { Context } from '../contracts/v1/context.js'
import type { SourceRun } from './pipeline-run.js'

/** No tag rule of a service makes this one, and pruning takes only what builds recorded. */
const tag = 'kiwi-build-cache'

/** Where `cache: { mode: 'registry' }` keeps steps: in the repository it names, else beside the image, always in the image's registry. */
export async function cacheEnds(run: SourceRun, context: Context): Promise<BuildCacheEnds | undefined> {
  const { build, image } = run.request.definition
  if (build?.cache?.mode !== 'registry') return undefined
  const repository = build.cache.repository ?? image.repository
  const registry = await run.adapters.registries.get(image.registry)
  const place = { repository, reference: tag }
  const open = async () => ((await registry.resolve(place, context)) ? registry.source(place, context) : undefined)
  return { from: [open], to: { sink: registry.sink(repository), tag } }
}
