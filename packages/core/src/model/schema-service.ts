import * as z from 'zod/mini'
import type { AdapterEntry } from '../registers/entry.js'
import { readRepositoryAddress } from '../sources/url.js'
import { environmentSchema } from './schema-environment.js'
import * as part from './schema-parts.js'
import type { ServiceDefinition } from './service.js'
import { faultOfTagRule } from './tag.js'

const dockerfileAllowed = "{ mode: 'auto' }, { mode: 'path', path } or { mode: 'wizard' }"
const cacheAllowed = "{ mode: 'layer' | 'registry' | 'local' | 'off' }, with registry also repository"
const triggerAllowed = "on: 'push' with branches, 'tag' with tags, or 'schedule' with cron and ref"
const patterns = () => part.list(part.pattern(), 'a list of names or patterns with * and ?')
const triggered = () => ({ environment: z.optional(part.name()) })

const gitSource = () =>
  part
    .object({
      git: part.gitAddress(),
      token: z.optional(part.secretReference()),
      submodules: z.optional(part.yesOrNo()),
      lfs: z.optional(part.yesOrNo()),
    })
    .check(
      z.refine(({ git, token }) => token === undefined || readRepositoryAddress(git).origin !== undefined, {
        path: ['token'],
        error: 'none: a token is of use for an https repository only',
      }),
    )

const build = () =>
  part.object({
    dockerfile: z.optional(
      z.discriminatedUnion(
        'mode',
        [
          part.object({ mode: z.literal('auto') }),
          part.object({ mode: z.literal('path'), path: part.pathInside() }),
          part.object({ mode: z.literal('wizard') }),
        ],
        { error: dockerfileAllowed },
      ),
    ),
    context: z.optional(part.pathInside()),
    args: z.optional(part.map(part.variableName(), part.anyText(), 'an object of argument names and strings')),
    secrets: z.optional(
      part.map(
        part.text(/^[A-Za-z0-9_.-]{1,128}$/, 'up to 128 letters, digits and _ . -'),
        part.secretReference(),
        'an object of ids and secret references',
      ),
    ),
    contexts: z.optional(
      part.map(
        part.text(/^[a-z0-9][a-z0-9_.-]{0,127}$/, 'up to 128 small letters, digits and _ . -'),
        part.pathInside(),
        'an object of names and directories',
      ),
    ),
    target: z.optional(part.text(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, 'the name or number of a stage')),
    cache: z.optional(
      z.discriminatedUnion(
        'mode',
        [
          part.object({ mode: z.enum(['layer', 'local', 'off']) }),
          part.object({ mode: z.literal('registry'), repository: z.optional(part.repository()) }),
        ],
        { error: cacheAllowed },
      ),
    ),
    platform: z.optional(part.platform()),
    baseImage: z.optional(part.imageName()),
  })

const trigger = () =>
  z.discriminatedUnion(
    'on',
    [
      part.object({ on: z.literal('push'), branches: patterns(), paths: z.optional(patterns()), ...triggered() }),
      part.object({ on: z.literal('tag'), tags: patterns(), ...triggered() }),
      part.object({
        on: z.literal('schedule'),
        cron: part.cron(),
        timeZone: z.optional(part.timeZone()),
        ref: part.ref(),
        ...triggered(),
      }),
    ],
    { error: triggerAllowed },
  )

let made: ReturnType<typeof makeServiceDefinition> | undefined

/** The whole definition. Made once, when it is first asked for. */
export function serviceDefinitionSchema() {
  made ??= makeServiceDefinition()
  return made
}

const makeServiceDefinition = () =>
  part.object({
    name: part.name(),
    source: z.union([gitSource(), part.object({ directory: part.directoryPath() })], {
      error: 'an object with git, or with directory',
    }),
    build: z.optional(build()),
    image: part.object({
      registry: part.registerName(),
      repository: part.repository(),
      tag: z.optional(
        part.checked(
          'text of letters, digits and _ . - mixed with ${BRANCH} ${SHORT_SHA} ${TAG} ${BUILD_NUMBER}, up to 128 characters',
          (rule) => faultOfTagRule(rule) === undefined,
        ),
      ),
    }),
    triggers: z.optional(
      z.array(trigger(), { error: 'a list of triggers' }).check(z.maxLength(100, { error: 'up to 100 triggers' })),
    ),
    environments: part.map(part.name(), environmentSchema(), 'an object of environment names and their settings').check(
      z.refine((all) => Object.keys(all).length > 0, { error: 'at least one environment' }),
      z.meta({ minProperties: 1 }),
    ),
  }) satisfies z.ZodMiniType<ServiceDefinition>

/** An entry of the registers of registries and runtimes. */
export const adapterEntrySchema = () =>
  part.object({
    name: part.name(),
    kind: part.text(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, 'up to 63 letters, digits and . _ -'),
    settings: part.map(z.string(), z.custom<AdapterEntry['settings'][string]>(), 'an object of plain JSON'),
    secrets: part.map(
      part.text(/^[A-Za-z0-9_.-]{1,128}$/, 'up to 128 letters, digits and _ . -'),
      part.secretReference(),
      'an object of names and secret references',
    ),
  }) satisfies z.ZodMiniType<AdapterEntry>
