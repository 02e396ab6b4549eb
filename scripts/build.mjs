// Builds what has changed: node scripts/build.mjs [--javascript]   (JavaScript only, without declarations; what set-up needs)
import { listPackages, recordBuilt, stalePackages } from './build/packages.mjs'
import { withLock } from './setup/lock.mjs'
import { inRoot } from './setup/paths.mjs'
import { withProgress } from './setup/progress.mjs'
import { runForeground } from './setup/run.mjs'

const options = process.argv.slice(2)

if (process.env.KIWI_SETUP_DONE) await (options.includes('--locked') ? build() : withLock(build)).catch(fail)
else
  process.exitCode = await runForeground(
    process.execPath,
    [inRoot('scripts/with-setup.mjs'), import.meta.filename, ...options],
    process.env,
  )

async function build() {
  const packages = listPackages()
  await buildPart('javascript', packages, async (stale) =>
    (await import('./build/javascript.mjs')).buildJavaScript(stale),
  )
  if (options.includes('--javascript')) return
  await buildPart('types', packages, async (stale) => (await import('./build/types.mjs')).buildTypes(stale))
}

/**
 * @param {import('./build/packages.mjs').Part} part
 * @param {import('./build/packages.mjs').Package[]} packages
 * @param {(stale: import('./build/packages.mjs').Package[]) => Promise<void>} work
 */
async function buildPart(part, packages, work) {
  const stale = stalePackages(packages, part)
  if (stale.length === 0) return
  const names = stale.map(({ name }) => name.replace('@kiwi/', '')).join(', ')
  await withProgress(`building ${part} of ${names}`, () => work(stale))
  recordBuilt(stale, part)
}

/** @param {Error} error */
function fail(error) {
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
