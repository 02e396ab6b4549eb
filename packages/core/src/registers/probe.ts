import type { Context, Probe } from '../contracts/v1/context.js'
import { KiwiError } from '../errors/kiwi-error.js'

/** Asks an adapter how it is; one that cannot be made, or throws, is not well, and says why. */
export async function probed(
  adapter: () => Promise<{ probe(context: Context): Promise<Probe> }>,
  context: Context,
): Promise<Probe> {
  try {
    return await (await adapter()).probe(context)
  } catch (error) {
    const { message, hint } = KiwiError.from(error)
    return { ok: false, summary: message, details: { hint } }
  }
}
