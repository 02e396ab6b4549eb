import { fileURLToPath } from 'node:url'

/** The folder that holds the root package.json, without a slash at its end. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')

/** @param {string} path below the root, with forward slashes */
export const inRoot = (path) => `${root}/${path}`

/** What set-up keeps between runs: the lock, logs, and what was built from which sources. */
export const stateDirectory = inRoot('.kiwi/setup')
