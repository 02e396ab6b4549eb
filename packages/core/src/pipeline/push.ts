import type { BuiltImage } from '../contracts/v1/builder.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { pipe } from '../image/pipe.js'
import type { ImageRecord } from '../model/release.js'
import type { ReleaseRequest } from '../model/run.js'
import { registryOf } from './lookup.js'
import type { PipelineRun } from './pipeline-run.js'
import type { Recipe } from './recipe.js'
import { step } from './step.js'

/** Sends the image to its registry under its tag; from here on it is known by digest. */
export function push(run: PipelineRun<ReleaseRequest>, { tag }: Recipe, built: BuiltImage): Promise<ImageRecord> {
  const { registry: name, repository } = run.request.definition.image
  return step(run, 'push', {
    async do(context) {
      if (built.at === 'engine')
        throw new KiwiError('BUILDER_UNFIT', 'the image lies in an engine, from where Kiwi cannot push it yet')
      const registry = registryOf(run, name)
      if (built.at === 'sink')
        await pipe(run.images.source(built.manifest), registry.sink(repository), { tag }, context)
      return { registry: name, repository, tag, digest: built.manifest.digest, sizeBytes: built.sizeBytes }
    },
    announce: (image) => ({ type: 'image-pushed', image }),
  })
}
