// Adds to package-lock.json the optional packages of other platforms that npm left out because the registry it asked does
// not have them: `npm ci` refuses a lockfile without them. Run it after `npm install`:  node scripts/complete-lock.mjs
import { readFileSync, writeFileSync } from 'node:fs'
import { inRoot } from './setup/paths.mjs'

const file = inRoot('package-lock.json')
const lock = JSON.parse(readFileSync(file, 'utf8'))
const added = []

for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const candidates = [`${path}/node_modules/${name}`, `node_modules/${name}`]
    if (path === '' || candidates.some((candidate) => lock.packages[candidate])) continue
    lock.packages[`node_modules/${name}`] = { version, ...platformOf(name), dev: entry.dev, optional: true }
    added.push(name)
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')))
if (added.length > 0) writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`)
console.log(added.length > 0 ? `added ${added.join(', ')}` : 'nothing to add')

/**
 * `@rollup/rollup-linux-arm64-musl` -> linux, arm64, musl: such packages are named after the platform that they are for.
 * @param {string} name
 */
function platformOf(name) {
  const words = name.split(/[-/]/)
  const os = words.find((word) => /^(android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)$/.test(word))
  const cpu = words.find((word) => /^(arm|arm64|ia32|loong64|mips64el|ppc64|riscv64|s390x|x64)$/.test(word))
  const libc = words.includes('musl') ? 'musl' : words.some((word) => /^gnu/.test(word)) ? 'glibc' : undefined
  if (!os || !cpu) throw new Error(`${name} is optional and not named after a platform`)
  return { cpu: [cpu], ...(os === 'linux' && libc ? { libc: [libc] } : {}), os: [os] }
}
