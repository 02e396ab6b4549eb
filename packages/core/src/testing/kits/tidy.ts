import type { Registry } from '../../contracts/v1/registry.js'
import { testContext } from '../context.js'
import type { KitCase } from './kit.js'

interface Made {
  readonly registry: Registry
  readonly repository: string
}

/**
 * The cases, each followed by the removal of the images that have tags in the repositories made meanwhile. What it could not remove it leaves:
 * a registry that does not let it is none the worse for the kit.
 */
export function tidied(
  cases: readonly KitCase[],
  made: Made[],
  secrets: Readonly<Record<string, string>> | undefined,
): readonly KitCase[] {
  return cases.map(({ name, run }) => ({
    name,
    async run() {
      try {
        await run()
      } finally {
        for (const one of made.splice(0)) await empty(one, testContext({ secrets })).catch(() => undefined)
      }
    },
  }))
}

async function empty({ registry, repository }: Made, context: ReturnType<typeof testContext>): Promise<void> {
  if (!registry.tags || !registry.remove) return
  await registry.protect?.(repository, [], context) // lets go of what it protects, by whatever means
  for (const tag of await Array.fromAsync(registry.tags(repository, context))) {
    const image = await registry.resolve({ repository, reference: tag }, context) // gone with another of its tags
    if (image) await registry.remove({ repository, reference: image.digest }, context)
  }
}
