import type * as z from 'zod/mini'
import { KiwiError } from '../errors/kiwi-error.js'
import type { AdapterEntry } from '../registers/entry.js'
import { pastedSecrets } from './pasted-secrets.js'
import { plainCopy } from './plain.js'
import { type InputProblem, inputInvalid, problemsOf } from './problems.js'
import { problemsAcross } from './schema-across.js'
import { adapterEntrySchema, serviceDefinitionSchema } from './schema-service.js'
import type { ServiceDefinition } from './service.js'

/**
 * Checks a definition whole, and answers a copy of it. Throws `INPUT_INVALID` with every problem (`evidence.problems`: path, kind of what was
 * given, what is allowed), whatever it is given. Values are not repeated, one may be a secret.
 */
export function parseServiceDefinition(input: unknown): ServiceDefinition {
  return parse({ what: 'service definition', schema: serviceDefinitionSchema, more: problemsAcross }, input)
}

/** The same for an entry of the registers of registries and runtimes. */
export function parseAdapterEntry(input: unknown): AdapterEntry {
  return parse({ what: 'entry', schema: adapterEntrySchema, more: pastedSecrets }, input)
}

interface Checks<T> {
  readonly what: string
  readonly schema: () => z.ZodMiniType<T>
  /** Finds what depends on several places, in plain JSON that may be wrong anywhere. */
  readonly more: (value: unknown) => readonly InputProblem[]
}

function parse<T>({ what, schema, more }: Checks<T>, input: unknown): T {
  const plain = plainCopy(input, what)
  const result = schema().safeParse(plain.value)
  const found = [...plain.problems, ...problemsOf(result.error?.issues ?? [], plain.value), ...more(plain.value)]
  const places = new Set<string>()
  const problems = found.filter(({ path }) => !places.has(path) && places.add(path))
  if (problems.length > 0) throw inputInvalid(what, problems)
  if (result.success) return result.data
  throw new KiwiError('INTERNAL', `the ${what} was refused without a reason`)
}
