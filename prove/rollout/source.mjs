// Core's rollout is not a public name of the package: its source is run as it is, types stripped.
import { existsSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'

/** In source, imports name the files that are made of it: where there is only the source, that is meant. */
registerHooks({
  resolve(specifier, context, nextResolve) {
    const source = specifier.startsWith('.') && specifier.endsWith('.js') && specifier.replace(/\.js$/, '.ts')
    const url = source && context.parentURL && new URL(source, context.parentURL)
    return url && existsSync(fileURLToPath(url)) ? nextResolve(url.href, context) : nextResolve(specifier, context)
  },
})

export const { liveThrough } = await import('../../packages/core/src/rollout/simulation/history.ts')
