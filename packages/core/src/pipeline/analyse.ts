import type { Fit } from '../contracts/v1/builder.js'
import type { Context } from '../contracts/v1/context.js'
import type { Platform } from '../contracts/v1/image.js'
import type { Revision } from '../contracts/v1/source.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { ReleaseRequest } from '../model/run.js'
import { imageTag } from '../model/tag.js'
import { chooseDockerfile } from './dockerfile.js'
import type { PipelineRun } from './pipeline-run.js'
import type { Recipe } from './recipe.js'
import { step } from './step.js'

/** Finds the Dockerfile, takes the path given, or has the wizard write one; then finds the builder that can build it. */
export function analyse(run: PipelineRun<ReleaseRequest>, revision: Revision): Promise<Recipe> {
  const { definition } = run.request
  const settings = definition.build ?? {}
  return step(run, 'analyse', {
    async do(context) {
      const tag = imageTag(definition.image.tag, revision)
      const { directory } = await run.tree(revision)
      const dockerfile = await chooseDockerfile(directory, settings)
      const { from, path, text, reasons, others, ignore } = dockerfile
      run.events.emit({ type: 'dockerfile-chosen', from, path, text, reasons, others }, 'analyse')
      const need = {
        dockerfile: text,
        args: settings.args ?? {},
        platform: thisPlatform(),
        ...(settings.target && { target: settings.target }),
      }
      const builder = await builderFor(run, need, context)
      return {
        ...need,
        dockerfile,
        ...(ignore !== undefined && { ignore }),
        contextPath: settings.context ?? '.',
        tag,
        builder,
      }
    },
  })
}

async function builderFor(run: PipelineRun, need: Parameters<typeof fitOf>[1], context: Context): Promise<string> {
  const lacking: { builder: string; missing: Fit['missing'] }[] = []
  for (const name of Object.keys(run.adapters.builders)) {
    const { ok, missing } = await fitOf(run.adapters.builders[name], need, context)
    if (ok) return name
    lacking.push({ builder: name, missing })
  }
  throw unfit(lacking)
}

function fitOf(
  builder: PipelineRun['adapters']['builders'][string] | undefined,
  need: Parameters<NonNullable<typeof builder>['fit']>[0],
  context: Context,
) {
  return builder?.fit(need, context) ?? Promise.resolve({ ok: false, missing: [] })
}

function unfit(lacking: readonly { builder: string; missing: Fit['missing'] }[]): KiwiError {
  if (lacking.length === 0) return new KiwiError('BUILDER_UNFIT', 'no builder is registered')
  const list = lacking.flatMap(({ builder, missing }) =>
    missing.map(
      ({ what, line, cure }) => `${builder} lacks ${what}${line === undefined ? '' : ` (line ${line})`}: ${cure}`,
    ),
  )
  const evidence = lacking.map(({ builder, missing }) => ({ builder, missing: missing.map((one) => ({ ...one })) }))
  return new KiwiError('BUILDER_UNFIT', `no builder can build this Dockerfile: ${list.join('; ')}`, { evidence })
}

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm: 'arm', arm64: 'arm64' }

function thisPlatform(): Platform {
  return { os: 'linux', architecture: architectures[process.arch] ?? process.arch }
}
