import { accessSync, constants, existsSync, writeFileSync } from 'node:fs'
import { delimiter } from 'node:path'
import { inRoot } from './paths.mjs'
import { withProgress } from './progress.mjs'
import { runLogged } from './run.mjs'

const attemptFile = inRoot('node_modules/.setup-tools')

/** Debian packages by the command that we miss without them. `attr`: the local builder reads file capabilities with it. */
const debianPackages = { getfattr: 'attr' }

/** Brings the system tools that are missing, once per installation. Where that is not possible the program says what it misses. */
export async function bringTools() {
  const missing = Object.entries(debianPackages).filter(([command]) => !findCommand(command))
  const names = missing.map(([, name]) => name)
  if (names.length === 0 || existsSync(attemptFile) || process.getuid?.() !== 0 || !findCommand('apt-get')) return
  try {
    await withProgress(`installing Debian package ${names.join(', ')}`, () => aptInstall(names))
  } catch {
    // the one who needs it names it
  }
}

/** Remembers that it was tried: a machine without network would otherwise wait for it at every command. */
export function rememberTools() {
  writeFileSync(attemptFile, '')
}

/** @param {string[]} names */
async function aptInstall(names) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const options = ['-q', '-y', '-o', 'Acquire::http::Timeout=20', '-o', 'DPkg::Lock::Timeout=60']
  const installArgs = [...options, '--no-install-recommends', 'install', ...names]
  try {
    await runLogged('tools', 'apt-get', installArgs, { env, timeoutMs: 90_000 })
  } catch {
    await runLogged('tools', 'apt-get', [...options, 'update'], { env, timeoutMs: 90_000 })
    await runLogged('tools', 'apt-get', installArgs, { env, timeoutMs: 90_000 })
  }
}

/** @param {string} name */
export function findCommand(name) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((directory) => `${directory}/${name}`)
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
