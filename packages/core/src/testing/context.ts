import type { Context } from '../contracts/v1/context.js'
import type { Fact } from '../contracts/v1/facts.js'
import { KiwiError } from '../errors/kiwi-error.js'

export interface TestContext extends Context {
  /** Everything that was reported, in order. */
  readonly facts: Fact[]
  /** All output so far, as text. */
  text(): string
}

/** A context for tests of an adapter: keeps facts and output, resolves secrets from `secrets`. */
export function testContext(
  options: {
    readonly signal?: AbortSignal | undefined
    readonly id?: string | undefined
    readonly token?: number | undefined
    readonly secrets?: Readonly<Record<string, string>> | undefined
  } = {},
): TestContext {
  const facts: Fact[] = []
  const chunks: Uint8Array[] = []
  return {
    facts,
    text: () => Buffer.concat(chunks).toString(),
    signal: options.signal ?? new AbortController().signal,
    operation: { id: options.id ?? 'test', fence: { scope: 'test', token: options.token ?? 1 } },
    async secret(reference, use) {
      const value = options.secrets?.[reference.secret]
      if (value === undefined) throw new KiwiError('SECRET_MISSING', `the secret ${reference.secret} is not there`)
      return use(value)
    },
    report: (fact) => void facts.push(fact),
    output: async (bytes) => void chunks.push(bytes),
  }
}
