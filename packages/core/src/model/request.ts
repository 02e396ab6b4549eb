import * as z from 'zod/mini'
import { inputInvalid, problemsOf } from './problems.js'
import type { Command, QueuePolicy, RunRequest } from './run.js'
import * as part from './schema-parts.js'

const person = () => part.text(/^[^\p{Cc}]{1,200}$/u, 'who asks: 1 to 200 characters')
const sentence = () =>
  z.optional(z.string({ error: 'a string' }).check(z.maxLength(10_000, { error: 'up to 10,000 characters' })))
const common = () => ({
  by: person(),
  reason: sentence(),
  policy: z.optional(part.oneOf('queue', 'supersede', 'reject')),
  requestId: z.optional(part.text(/^[^\p{Cc}]{1,300}$/u, '1 to 300 characters')),
  hold: z.optional(part.yesOrNo()),
  push: z.optional(part.yesOrNo()),
  schemaChange: z.optional(part.yesOrNo()),
  acceptQuarantined: z.optional(part.yesOrNo()),
  acceptSchemaChange: z.optional(part.yesOrNo()),
})
const byKind = (): Partial<Record<RunRequest['kind'], Record<string, z.ZodMiniType>>> => ({
  release: { ref: part.ref() },
  build: { ref: part.ref() },
  push: { buildNumber: part.whole(1, Number.MAX_SAFE_INTEGER) },
  deploy: {
    image: z.union([part.anyText().check(z.minLength(1)), z.looseObject({ digest: z.string() })], {
      error: 'a tag, a digest or a reference',
    }),
  },
  rollback: { to: z.optional(z.union([z.string(), z.int()], { error: 'the number or the id of a release' })) },
  scale: { replicas: part.whole(1, 1_000) },
})

/**
 * Checks what a run is asked for before it is taken in; the definition was checked when it was registered. Throws `INPUT_INVALID` with every
 * problem, values not repeated.
 */
export function checkRequest(
  request: RunRequest,
  options: { readonly requestId?: string | undefined; readonly policy?: QueuePolicy | undefined },
): void {
  check(
    z.looseObject({ ...common(), ...byKind()[request.kind] }),
    { ...request, ...options },
    `request to ${request.kind}`,
  )
}

/** The same for a command. */
export function checkCommand({ by, reason, type }: Command): void {
  check(z.looseObject({ by: person(), reason: sentence() }), { by, reason }, `order to ${type}`)
}

function check(schema: z.ZodMiniType, input: unknown, what: string): void {
  const result = schema.safeParse(input)
  if (!result.success) throw inputInvalid(what, problemsOf(result.error.issues, input))
}
