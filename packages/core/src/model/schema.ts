import * as z from 'zod'
import { KiwiError } from '../errors/kiwi-error.js'
import type { ServiceDefinition } from './service.js'

const name = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'use up to 63 lower-case letters, digits and dashes')
const secretReference = z.strictObject({ secret: z.string().min(1) })
const portNumber = z.int().min(0).max(65_535)
const milliseconds = z.int().min(1)
const relativePath = z
  .string()
  .min(1)
  .refine((path) => !path.startsWith('/') && !path.split('/').includes('..'), 'use a path inside the repository')

const environment = z.strictObject({
  runtime: z.string().min(1),
  namespace: name.optional(),
  replicas: z.int().min(1).max(1_000).optional(),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.union([z.string(), secretReference])).optional(),
  port: portNumber.min(1).optional(),
  publish: z
    .strictObject({
      protocol: z.enum(['http', 'tcp']).optional(),
      address: z.string().min(1).optional(),
      port: portNumber.optional(),
    })
    .optional(),
  health: z
    .strictObject({
      type: z.enum(['http', 'tcp']).optional(),
      path: z.string().startsWith('/').optional(),
      intervalMs: milliseconds.optional(),
      timeoutMs: milliseconds.optional(),
    })
    .optional(),
  volumes: z
    .array(
      z.strictObject({ source: z.string().min(1), path: z.string().startsWith('/'), readOnly: z.boolean().optional() }),
    )
    .optional(),
  entrypoint: z.array(z.string()).min(1).optional(),
  command: z.array(z.string()).min(1).optional(),
  stopGraceMs: milliseconds.optional(),
  strategy: z.enum(['blue-green']).optional(),
  readyWithinMs: milliseconds.optional(),
  verify: z.strictObject({ path: z.string().startsWith('/'), status: z.int().min(100).max(599).optional() }).optional(),
})

const serviceDefinition = z.strictObject({
  name,
  source: z.strictObject({ git: z.string().min(1), token: secretReference.optional() }),
  build: z
    .strictObject({
      dockerfile: z.union([z.enum(['auto', 'wizard']), relativePath]).optional(),
      context: relativePath.optional(),
      args: z.record(z.string(), z.string()).optional(),
      target: z.string().min(1).optional(),
      baseImage: z.string().min(1).optional(),
    })
    .optional(),
  image: z.strictObject({
    registry: z.string().min(1),
    repository: z.string().min(1),
    tag: z.string().min(1).optional(),
  }),
  environments: z
    .record(name, environment)
    .refine((environments) => Object.keys(environments).length > 0, 'name at least one environment'),
}) satisfies z.ZodType<ServiceDefinition>

/**
 * Checks a definition whole. Throws `INPUT_INVALID` with every problem: path, and what is allowed there. Values are not repeated, one may be a secret.
 */
export function parseServiceDefinition(input: unknown): ServiceDefinition {
  const result = serviceDefinition.safeParse(input)
  if (result.success) return result.data
  const problems = result.error.issues.map(({ path, message }) => ({ path: path.join('.') || '(whole)', message }))
  const list = problems.map((problem) => `${problem.path}: ${problem.message}`).join('; ')
  throw new KiwiError('INPUT_INVALID', `the service definition has ${problems.length} problem(s): ${list}`, {
    evidence: { problems },
  })
}
