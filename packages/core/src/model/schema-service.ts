import * as z from 'zod'
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
const triggered = () => ({ environment: part.name().optional() })

const gitSource = () =>
  part
    .object({
      git: part.gitAddress(),
      token: part.secretReference().optional(),
      submodules: part.yesOrNo().optional(),
      lfs: part.yesOrNo().optional(),
    })
    .refine(({ git, token }) => token === undefined || readRepositoryAddress(git).origin !== undefined, {
      path: ['token'],
      error: 'none: a token is of use for an https repository only',
    })

const build = () =>
  part.object({
    dockerfile: z
      .discriminatedUnion(
        'mode',
        [
          part.object({ mode: z.literal('auto') }),
          part.object({ mode: z.literal('path'), path: part.pathInside() }),
          part.object({ mode: z.literal('wizard') }),
        ],
        { error: dockerfileAllowed },
      )
      .optional(),
    context: part.pathInside().optional(),
    args: part.map(part.variableName(), part.anyText(), 'an object of argument names and strings').optional(),
    target: part.text(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, 'the name or number of a stage').optional(),
    cache: z
      .discriminatedUnion(
        'mode',
        [
          part.object({ mode: z.enum(['layer', 'local', 'off']) }),
          part.object({ mode: z.literal('registry'), repository: part.repository().optional() }),
        ],
        { error: cacheAllowed },
      )
      .optional(),
    platform: part.platform().optional(),
    baseImage: part.imageName().optional(),
  })

const trigger = () =>
  z.discriminatedUnion(
    'on',
    [
      part.object({ on: z.literal('push'), branches: patterns(), paths: patterns().optional(), ...triggered() }),
      part.object({ on: z.literal('tag'), tags: patterns(), ...triggered() }),
      part.object({
        on: z.literal('schedule'),
        cron: part.cron(),
        timeZone: part.timeZone().optional(),
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
    build: build().optional(),
    image: part.object({
      registry: part.registerName(),
      repository: part.repository(),
      tag: part
        .checked(
          'text of letters, digits and _ . - mixed with ${BRANCH} ${SHORT_SHA} ${TAG} ${BUILD_NUMBER}, up to 128 characters',
          (rule) => faultOfTagRule(rule) === undefined,
        )
        .optional(),
    }),
    triggers: z.array(trigger(), { error: 'a list of triggers' }).max(100, { error: 'up to 100 triggers' }).optional(),
    environments: part
      .map(part.name(), environmentSchema(), 'an object of environment names and their settings')
      .refine((all) => Object.keys(all).length > 0, { error: 'at least one environment' })
      .meta({ minProperties: 1 }),
  }) satisfies z.ZodType<ServiceDefinition>

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
  }) satisfies z.ZodType<AdapterEntry>
