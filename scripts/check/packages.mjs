import { globSync, readFileSync } from 'node:fs'
import { inRoot } from '../setup/paths.mjs'
import { output } from './run.mjs'

/** @typedef {import('../build/packages.mjs').Package} Package */

/** @param {Package} one */
export const publint = ({ directory }) => output('publint', ['run', directory, '--strict', '--pack', 'npm'])

/** @param {Package} one */
export const attw = ({ directory }) =>
  output('attw', ['--pack', directory, '--profile', 'esm-only', '--no-emoji', '--no-color'])

/**
 * What was built may import only what package.json declares: a forgotten dependency works here, and for no one else.
 * @param {Package} one
 */
export async function imports({ name, directory, manifest }) {
  const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies, [name]: '' })
  const wrong = globSync('dist/**/*.{js,d.ts}', { cwd: directory }).flatMap((file) =>
    importsOf(readFileSync(`${directory}/${file}`, 'utf8'))
      .filter((specifier) => !/^(\.|node:)/.test(specifier) && !declared.includes(packageOf(specifier)))
      .map(
        (specifier) =>
          `${directory.slice(inRoot('').length)}/${file} imports ${specifier}, which package.json does not declare`,
      ),
  )
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
}

/** @param {string} text */
function importsOf(text) {
  const statements = text.matchAll(/^\s*(?:import|export)\b(?:[^'"`;()]*?\bfrom)?\s*["']([^"']+)["']/gm)
  const calls = text.matchAll(/\bimport\(\s*["']([^"']+)["']\s*\)/g)
  return [...statements, ...calls].map(([, specifier = '']) => specifier)
}

/** @param {string} specifier `@scope/name/path` -> `@scope/name` */
function packageOf(specifier) {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
