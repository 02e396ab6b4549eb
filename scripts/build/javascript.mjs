import { build } from 'tsup'
import { replaceFiles } from './replace.mjs'

/**
 * Bundles each package into ES modules, one per entry and what they share. Development dependencies are bundled in, the
 * others stay imports.
 * @param {import('./packages.mjs').Package[]} packages
 */
export async function buildJavaScript(packages) {
  for (const { directory, manifest, entries } of packages) {
    const output = `${directory}/.kiwi` // as deep as dist, so that source maps name the right files
    await build({
      config: false,
      silent: true,
      entry: absolute(directory, entries),
      outDir: output,
      format: ['esm'],
      target: 'node22',
      platform: 'node',
      splitting: true,
      sourcemap: true,
      dts: false,
      tsconfig: `${directory}/tsconfig.json`,
      clean: true,
      removeNodeProtocol: false,
      external: [/^@kiwi\//, ...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })],
      noExternal: Object.keys(manifest.devDependencies ?? {}),
    })
    replaceFiles(output, `${directory}/dist`, /\.js(\.map)?$/)
  }
}

/**
 * @param {string} directory
 * @param {Record<string, string>} entries
 */
function absolute(directory, entries) {
  return Object.fromEntries(Object.entries(entries).map(([name, source]) => [name, `${directory}/${source}`]))
}
