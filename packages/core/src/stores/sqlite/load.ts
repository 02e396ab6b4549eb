import { createRequire } from 'node:module'

/** Loaded on first use, and without the warning that Node 22 and 24 print for it: it would be the first line every user reads. */
export function loadSqlite(): typeof import('node:sqlite') {
  const { emitWarning } = process
  process.emitWarning = () => undefined
  try {
    return createRequire(import.meta.url)('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}
