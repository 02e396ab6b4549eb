import type { KitCase } from './kit.js'

/** The names of the cases that fail, and why. */
export async function failuresOf(cases: readonly KitCase[]): Promise<ReadonlyMap<string, string>> {
  const failures = new Map<string, string>()
  for (const { name, run } of cases) await run().catch((error: unknown) => failures.set(name, String(error)))
  return failures
}
