import type { Fit } from '../contracts/v1/builder.js'
import type { Context } from '../contracts/v1/context.js'
import type { Revision } from '../contracts/v1/source.js'
import { KiwiError } from '../errors/kiwi-error.js'
import { checkTagRule, imageTag } from '../model/tag.js'
import { buildDocument, startedBuild } from '../release/builds.js'
import { chooseDockerfile } from './dockerfile.js'
import type { PipelineRun, SourceRun } from './pipeline-run.js'
import { platformOf } from './platform.js'
import type { Recipe } from './recipe.js'
import { step } from './step.js'

/** What is fixed before anything is looked at: a number is used up by the first try, and never given to another run. */
interface Numbered {
  readonly buildNumber: number
}

/** Finds the Dockerfile, takes the path given, or has the wizard write one; then finds the builder that can build it. */
export function analyse(run: SourceRun, revision: Revision): Promise<Recipe> {
  const { definition, service } = run.request
  const settings = definition.build ?? {}
  return step<Numbered, Recipe>(run, 'analyse', {
    async intent() {
      checkTagRule(definition.image.tag)
      return { buildNumber: await run.store.count(`build/${service}`) }
    },
    async do(context, { buildNumber }) {
      const tag = imageTag(definition.image.tag, revision, buildNumber)
      const { directory } = await run.tree(revision)
      const dockerfile = await chooseDockerfile(directory, settings)
      const { from, path, text, reasons, others, ignore } = dockerfile
      run.events.emit({ type: 'dockerfile-chosen', from, path, text, reasons, others }, 'analyse')
      const need = {
        dockerfile: text,
        args: settings.args ?? {},
        platform: platformOf(settings.platform),
        ...(settings.target && { target: settings.target }),
        ...(settings.secrets && { secrets: settings.secrets }),
        ...(settings.contexts && { contexts: settings.contexts }),
      }
      const builder = await builderFor(run, need, context)
      return {
        ...need,
        dockerfile,
        ...(ignore !== undefined && { ignore }),
        contextPath: settings.context ?? '.',
        tag,
        buildNumber,
        builder,
      }
    },
    documents: (recipe) => [buildDocument(startedBuild(run, recipe, revision))],
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
