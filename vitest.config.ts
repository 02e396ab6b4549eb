import { fileURLToPath } from 'node:url'
import { configDefaults, defineConfig } from 'vitest/config'

const source = (path: string) => fileURLToPath(new URL(`packages/${path}`, import.meta.url))
const roots = ['packages/*/{src,test}', 'test', 'examples']

/** Live tests need real parts and take their time; scripts/live.mjs runs them, one file after another. */
const live = {
  include: roots.map((root) => `${root}/**/*.live.test.ts`),
  passWithNoTests: true,
  fileParallelism: false,
  testTimeout: 120_000,
  hookTimeout: 120_000,
}
/** Generous with time: a machine that does much else is slow, not wrong. */
const everywhere = {
  include: roots.map((root) => `${root}/**/*.test.ts`),
  exclude: [...configDefaults.exclude, '**/*.live.test.ts'],
  testTimeout: 20_000,
  hookTimeout: 20_000,
}

export default defineConfig({
  resolve: {
    // Packages resolve to their source, so that a test never sees an old build.
    alias: [
      { find: /^@kiwi\/([a-z0-9-]+)$/, replacement: source('$1/src/index.ts') },
      { find: /^@kiwi\/([a-z0-9-]+)\/([a-z0-9-]+)$/, replacement: source('$1/src/$2/index.ts') },
    ],
  },
  test: process.env.KIWI_LIVE ? live : everywhere,
})
