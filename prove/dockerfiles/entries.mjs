import { files } from './entries/files.mjs'
import { settings } from './entries/settings.mjs'
import { steps } from './entries/steps.mjs'

/** @type {readonly import('./entry.mjs').Entry[]} */
export const entries = [...settings, ...files, ...steps]
