import type { BuiltImage } from '../contracts/v1/builder.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { pipe } from '../image/pipe.js'
import type { Build, ImageRecord } from '../model/release.js'
import { buildDocument, buildOf, pushedBuild } from '../release/builds.js'
import type { PipelineRun } from './pipeline-run.js'
import type { Recipe } from './recipe.js'
import { step } from './step.js'

/** Sends the image to its registry under its tag; from here on it is known by digest. */
export async function push(run: PipelineRun, recipe: Tagged, built: BuiltImage): Promise<ImageRecord> {
  const { registry: name, repository } = run.request.definition.image
  const { tag } = recipe
  const { image } = await step<undefined, Pushed>(run, 'push', {
    async do(context) {
      if (built.at === 'engine')
        throw new KiwiError('BUILDER_UNFIT', 'the image lies in an engine, from where Kiwi cannot push it yet')
      const registry = await run.adapters.registries.get(name)
      if (built.at === 'sink')
        await pipe(run.images.source(built.manifest), registry.sink(repository), { tag }, context)
      const { digest } = built.manifest
      const build = await buildOf(run.store, run.request.service, recipe.buildNumber)
      const image = { registry: name, repository, tag, digest, sizeBytes: built.sizeBytes }
      return {
        image,
        build: pushedBuild(build, { image, reference: `${registry.address(repository)}:${tag}`, at: run.clock.now() }),
      }
    },
    announce: ({ image }) => ({ type: 'image-pushed', image }),
    documents: ({ build }) => [buildDocument(build)],
  })
  return image
}

/** What a push needs of a recipe. */
export type Tagged = Pick<Recipe, 'tag' | 'buildNumber'>

interface Pushed {
  readonly image: ImageRecord
  readonly build: Build
}

/** The build's own row, as it stands after the last step. */
export function builtBy(run: PipelineRun, { buildNumber }: Tagged): Promise<Build> {
  return buildOf(run.store, run.request.service, buildNumber)
}
