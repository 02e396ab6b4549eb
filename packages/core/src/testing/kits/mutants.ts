import type { KitCase } from './kit.js'

/** The names of the cases that fail, and why; of one case only, where it is named. */
export async function failuresOf(cases: readonly KitCase[], only?: string): Promise<ReadonlyMap<string, string>> {
  const failures = new Map<string, string>()
  for (const { name, run } of cases.filter((one) => only === undefined || one.name === only))
    await run().catch((error: unknown) => failures.set(name, String(error)))
  return failures
}
