import { fileURLToPath } from 'node:url'
import { configDefaults, defineConfig } from 'vitest/config'

const source = (path: string) => fileURLToPath(new URL(`packages/${path}`, import.meta.url))

/** Packages resolve to their source, so that a test never sees an old build. The longer names stand first. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@kiwi\/([a-z0-9-]+)$/, replacement: source('$1/src/index.ts') },
      { find: /^@kiwi\/([a-z0-9-]+)\/([a-z0-9-]+)$/, replacement: source('$1/src/$2/index.ts') },
    ],
  },
  test: {
    include: ['packages/*/{src,test}/**/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts'],
    exclude: process.env.KIWI_LIVE ? configDefaults.exclude : [...configDefaults.exclude, '**/*.live.test.ts'],
  },
})
