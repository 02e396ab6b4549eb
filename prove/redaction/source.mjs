// Lets a campaign import the source of @kiwi/core as it stands, also the parts that the package keeps to itself.
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'

const source = pathToFileURL(`${import.meta.dirname}/../../packages/core/src/`).href

registerHooks({
  resolve(specifier, context, next) {
    const ours = specifier.startsWith('.') && context.parentURL?.startsWith(source)
    return next(ours ? specifier.replace(/\.js$/, '.ts') : specifier, context)
  },
})

/** @param {string} path relative to the package's `src`, without its ending */
export function fromSource(path) {
  return import(new URL(`${path}.ts`, source).href)
}
