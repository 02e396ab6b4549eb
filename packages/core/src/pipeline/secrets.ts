import type { InstanceSpec } from '../contracts/v1/actions.js'
import type { Context, SecretReference } from '../contracts/v1/context.js'
import { isSecretReference } from '../secrets/reference.js'

/** Looks every secret up that the run will need, before its first effect. Rejects with `SECRET_MISSING`. */
export async function requireSecrets(
  needed: {
    readonly token?: SecretReference | undefined
    readonly env?: InstanceSpec['env'] | undefined
    readonly build?: Readonly<Record<string, SecretReference>> | undefined
  },
  context: Context,
): Promise<void> {
  const { token, env = {}, build = {} } = needed
  const references = [token, ...Object.values(env), ...Object.values(build)].filter(isSecretReference)
  for (const reference of references) await context.secret(reference, async () => undefined)
}
