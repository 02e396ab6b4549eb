import type { BuildIo, BuiltImage } from '../contracts/v1/builder.js'
import type { Context } from '../contracts/v1/context.js'
import type { Revision } from '../contracts/v1/source.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { buildDocument, buildOf, madeBuild } from '../release/builds.js'
import { openImage } from './base-image.js'
import { cacheEnds } from './build-cache.js'
import type { SourceRun } from './pipeline-run.js'
import type { Recipe } from './recipe.js'
import { step } from './step.js'

/** Makes the image with the builder that was found to fit. */
export function build(run: SourceRun, revision: Revision, recipe: Recipe): Promise<BuiltImage> {
  const { adapters, request } = run
  const builder = adapters.builders[recipe.builder]
  return step(run, 'build', {
    find: async (context) => builder?.find(context.operation.id, context),
    async do(context) {
      if (!builder) throw new KiwiError('BUILDER_UNFIT', `the builder ${recipe.builder} is not registered any more`)
      const { dockerfile, contextPath, ignore, target, args, secrets, contexts, platform } = recipe
      const buildRequest = {
        dockerfile: dockerfile.text,
        dockerfilePath: dockerfile.path,
        contextPath,
        ...(ignore !== undefined && { ignore }),
        ...(target !== undefined && { target }),
        args,
        ...(secrets !== undefined && { secrets }),
        ...(contexts !== undefined && { contexts }),
        ...(request.definition.build?.cache?.mode === 'off' && { cache: 'off' as const }),
        platform,
        labels: {
          'org.opencontainers.image.revision': revision.commit,
          'org.opencontainers.image.title': request.service,
        },
        createdAtSeconds: revision.committedAtSeconds ?? 0,
      }
      return builder.build(buildRequest, await io(run, revision, recipe, context), context)
    },
    announce: ({ manifest, sizeBytes, layers, steps, report }) => ({
      type: 'image-built',
      digest: manifest.digest,
      sizeBytes,
      layers,
      builder: recipe.builder,
      steps,
      ...(report !== undefined && { report }),
    }),
    documents: async (built) => {
      const row = await buildOf(run.store, request.service, recipe.buildNumber)
      const made = madeBuild(row, built, run.clock.now())
      const whole = request.kind === 'build' && !request.push // else the push ends it
      return [buildDocument(whole ? made : { ...made, status: 'running' })]
    },
  })
}

async function io(run: SourceRun, revision: Revision, { platform }: Recipe, context: Context): Promise<BuildIo> {
  const cache = await cacheEnds(run, context)
  return {
    ...(cache !== undefined && { cache }),
    tree: await run.tree(revision),
    sink: run.images.sink,
    image: (reference) => openImage(run.adapters.registries, reference, platform, context),
  }
}
