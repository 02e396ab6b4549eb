import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Fit } from '../contracts/v1/builder.js'
import type { Context } from '../contracts/v1/context.js'
import type { Platform } from '../contracts/v1/image.js'
import type { Revision } from '../contracts/v1/source.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { ReleaseRequest } from '../model/run.js'
import { imageTag } from '../model/tag.js'
import type { PipelineRun } from './pipeline-run.js'
import { step } from './step.js'
import { askWizard } from './wizard.js'

/** How the image is made: everything the builder needs but the files. */
export interface Recipe {
  readonly dockerfile: ChosenDockerfile
  readonly ignore?: string | undefined
  readonly contextPath: string
  readonly args: Readonly<Record<string, string>>
  readonly target?: string | undefined
  readonly platform: Platform
  readonly tag: string
  /** Registered name of the builder that fits. */
  readonly builder: string
}

export interface ChosenDockerfile {
  readonly from: 'path' | 'found' | 'wizard'
  readonly path: string
  readonly text: string
  readonly reasons: readonly string[]
  /** Further Dockerfiles that were there. */
  readonly others: readonly string[]
  readonly ignore?: string | undefined
}

/** Finds the Dockerfile, takes the path given, or has the wizard write one; then finds the builder that can build it. */
export function analyse(run: PipelineRun<ReleaseRequest>, revision: Revision): Promise<Recipe> {
  const { definition } = run.request
  const settings = definition.build ?? {}
  return step(run, 'analyse', {
    async do(context) {
      const tag = imageTag(definition.image.tag, revision)
      const { directory } = await run.tree(revision)
      const dockerfile = await choose(directory, settings)
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

type Settings = NonNullable<ReleaseRequest['definition']['build']>

async function choose(directory: string, settings: Settings): Promise<ChosenDockerfile> {
  const { dockerfile = 'auto', context = '.' } = settings
  if (dockerfile === 'wizard') return askWizard(join(directory, context), settings.baseImage)
  if (dockerfile !== 'auto') return read(directory, dockerfile, 'path', [])
  const [nearest, ...others] = await find(directory, context)
  if (nearest !== undefined) return read(directory, nearest, 'found', others)
  return askWizard(join(directory, context), settings.baseImage)
}

/** In the context, then at the root; plain names before `Dockerfile.prod` and the like. */
async function find(directory: string, context: string): Promise<string[]> {
  const places = context === '.' ? ['.'] : [context, '.']
  const found = await Promise.all(places.map((place) => dockerfilesIn(directory, place)))
  return found.flat()
}

async function dockerfilesIn(directory: string, place: string): Promise<string[]> {
  const names = await readdir(join(directory, place)).catch(() => [])
  const matching = names.filter(
    (name) => /^(?:Dockerfile|Containerfile)(?:\..+)?$/.test(name) && !name.endsWith('.dockerignore'),
  )
  return matching
    .toSorted((one, other) => one.length - other.length || (one < other ? -1 : 1))
    .map((name) => join(place, name))
}

async function read(
  directory: string,
  path: string,
  from: 'path' | 'found',
  others: readonly string[],
): Promise<ChosenDockerfile> {
  try {
    return { from, path, text: await readFile(join(directory, path), 'utf8'), reasons: [], others }
  } catch (cause) {
    const there = await find(directory, '.')
    const known = there.length > 0 ? `; there is ${there.join(', ')}` : ''
    throw new KiwiError('DOCKERFILE_MISSING', `the repository has no ${path}${known}`, {
      cause,
      evidence: { path, found: there },
    })
  }
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
