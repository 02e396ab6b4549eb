import * as z from 'zod'
import { cpuAllowed, memoryAllowed, parseCpu, parseMemory } from './quantity.js'
import * as part from './schema-parts.js'
import type { EnvironmentDefinition } from './service.js'

const envAllowed = "a string, or a secret by its name: secret('NAME')"

const quantities = () =>
  part.object({
    cpu: part.checked(cpuAllowed, (value) => isAbove(value, parseCpu)).optional(),
    memory: part.checked(memoryAllowed, (value) => isAbove(value, parseMemory)).optional(),
  })

const resources = () => part.object({ requests: quantities().optional(), limits: quantities().optional() })

const volumes = () =>
  part
    .list(
      part.object({ source: part.volumeSource(), path: part.pathInInstance(), readOnly: part.yesOrNo().optional() }),
      'a list of volumes with source and path',
    )
    .superRefine((all, context) => {
      all.forEach(({ path }, index) => {
        if (all.findIndex((one) => one.path === path) < index)
          context.addIssue({ code: 'custom', path: [index, 'path'], message: 'a path that no other volume has' })
      })
    })

/** One environment of a service. */
export const environmentSchema = () =>
  part.object({
    runtime: part.registerName(),
    namespace: part.name().optional(),
    replicas: part.whole(1, 1_000).optional(),
    resources: resources().optional(),
    env: part
      .map(
        part.variableName(),
        z.union([part.anyText(), part.secretReference()], { error: envAllowed }),
        'an object of variable names and values',
      )
      .optional(),
    port: part.portNumber().optional(),
    publish: part
      .object({
        protocol: part.oneOf('http', 'tcp').optional(),
        address: part.address().optional(),
        port: part.whole(0, 65_535).optional(),
      })
      .optional(),
    health: part
      .object({
        type: part.oneOf('http', 'tcp').optional(),
        path: part.urlPath().optional(),
        intervalMs: part.milliseconds().optional(),
        timeoutMs: part.milliseconds().optional(),
      })
      .optional(),
    volumes: volumes().optional(),
    entrypoint: part.command().optional(),
    command: part.command().optional(),
    stopGraceMs: part.milliseconds().optional(),
    strategy: part.oneOf('rolling', 'recreate', 'blue-green').optional(),
    readyWithinMs: part.milliseconds().optional(),
    tolerance: part
      .object({ restarts: part.whole(0, 1_000).optional(), silenceMs: part.milliseconds().optional() })
      .optional(),
    verify: part.object({ path: part.urlPath(), status: part.whole(100, 599).optional() }).optional(),
    beforeSwitch: part
      .object({
        command: part.command(),
        withinMs: part.milliseconds().optional(),
        schemaChange: part.yesOrNo().optional(),
      })
      .optional(),
    approval: part.yesOrNo().optional(),
    keepReleases: part.whole(10, 1_000).optional(),
  }) satisfies z.ZodType<EnvironmentDefinition>

function isAbove(value: string, parse: (text: string) => number): boolean {
  return part.passes(() => parse(value)) && parse(value) > 0
}
