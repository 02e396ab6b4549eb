// The test runner with a last line that people and machines read alike: `N passed, N failed, N skipped`.
//   node scripts/vitest.mjs run [FILTER...] [OPTION...]      KIWI_LIVE=1: the live tests instead of the others
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inRoot } from './setup/paths.mjs'
import { runForeground } from './setup/run.mjs'

const directory = mkdtempSync(join(tmpdir(), 'kiwi-tests-'))
const counts = join(directory, 'counts.json')
const reporters = ['--reporter=default', `--reporter=${inRoot('scripts/count-reporter.mjs')}`]
const args = [inRoot('node_modules/vitest/vitest.mjs'), ...process.argv.slice(2), '--root', inRoot(''), ...reporters]
const code = await runForeground(process.execPath, args, { ...process.env, KIWI_COUNTS: counts })
const { passed, failed, skipped } = readCounts()
rmSync(directory, { recursive: true })
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
process.exitCode = code || (failed > 0 ? 1 : 0)

/** @returns {{ passed: number, failed: number, skipped: number }} */
function readCounts() {
  try {
    return JSON.parse(readFileSync(counts, 'utf8'))
  } catch {
    return { passed: 0, failed: 1, skipped: 0 } // it died before it could tell
  }
}
