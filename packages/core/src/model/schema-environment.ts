import * as z from 'zod/mini'
import { cpuAllowed, memoryAllowed, parseCpu, parseMemory } from './quantity.js'
import * as part from './schema-parts.js'
import type { EnvironmentDefinition } from './service.js'

const envAllowed = "a string, or a secret by its name: secret('NAME')"

const quantities = () =>
  part.object({
    cpu: z.optional(part.checked(cpuAllowed, (value) => isAbove(value, parseCpu))),
    memory: z.optional(part.checked(memoryAllowed, (value) => isAbove(value, parseMemory))),
  })

const resources = () => part.object({ requests: z.optional(quantities()), limits: z.optional(quantities()) })

const volumes = () =>
  part
    .list(
      part.object({ source: part.volumeSource(), path: part.pathInInstance(), readOnly: z.optional(part.yesOrNo()) }),
      'a list of volumes with source and path',
    )
    .check(({ value, issues }) => {
      value.forEach(({ path }, index) => {
        if (value.findIndex((one) => one.path === path) < index)
          issues.push({
            code: 'custom',
            input: path,
            path: [index, 'path'],
            message: 'a path that no other volume has',
          })
      })
    })

/** One environment of a service. */
export const environmentSchema = () =>
  part.object({
    runtime: part.registerName(),
    namespace: z.optional(part.name()),
    replicas: z.optional(part.whole(1, 1_000)),
    resources: z.optional(resources()),
    env: z.optional(
      part.map(
        part.variableName(),
        z.union([part.anyText(), part.secretReference()], { error: envAllowed }),
        'an object of variable names and values',
      ),
    ),
    port: z.optional(part.portNumber()),
    publish: z.optional(
      part.object({
        protocol: z.optional(part.oneOf('http', 'tcp')),
        address: z.optional(part.address()),
        port: z.optional(part.whole(0, 65_535)),
      }),
    ),
    health: z.optional(
      part.object({
        type: z.optional(part.oneOf('http', 'tcp')),
        path: z.optional(part.urlPath()),
        intervalMs: z.optional(part.milliseconds()),
        timeoutMs: z.optional(part.milliseconds()),
      }),
    ),
    volumes: z.optional(volumes()),
    entrypoint: z.optional(part.command()),
    command: z.optional(part.command()),
    stopGraceMs: z.optional(part.milliseconds()),
    strategy: z.optional(part.oneOf('rolling', 'recreate', 'blue-green')),
    readyWithinMs: z.optional(part.milliseconds()),
    tolerance: z.optional(
      part.object({ restarts: z.optional(part.whole(0, 1_000)), silenceMs: z.optional(part.milliseconds()) }),
    ),
    verify: z.optional(part.object({ path: part.urlPath(), status: z.optional(part.whole(100, 599)) })),
    beforeSwitch: z.optional(
      part.object({
        command: part.command(),
        withinMs: z.optional(part.milliseconds()),
        schemaChange: z.optional(part.yesOrNo()),
      }),
    ),
    approval: z.optional(part.yesOrNo()),
    keepReleases: z.optional(part.whole(10, 1_000)),
  }) satisfies z.ZodMiniType<EnvironmentDefinition>

function isAbove(value: string, parse: (text: string) => number): boolean {
  return part.passes(() => parse(value)) && parse(value) > 0
}
