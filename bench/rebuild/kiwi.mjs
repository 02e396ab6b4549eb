import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { localBuilder } from '@kiwi/adapter-local'
import { ociRegistry } from '@kiwi/adapter-registry'
import { ociLayout, parseReference, pipe } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'

/**
 * The embedded builder and the registry client, as the line uses them.
 * @param {{ state: string, registry: string }} options
 */
export function kiwiBuilder({ state, registry: host }) {
  const images = ociLayout(join(state, 'images'))
  const builder = localBuilder({ directory: join(state, 'builder'), images: images.directory })
  const registry = ociRegistry({ host, plainHttp: true })
  return {
    /**
     * @param {string} directory the build context
     * @param {string} tag
     */
    async buildAndPush(directory, tag) {
      const context = testContext({ id: `bench/${tag}` })
      const request = {
        dockerfile: readFileSync(join(directory, 'Dockerfile'), 'utf8'),
        dockerfilePath: 'Dockerfile',
        contextPath: '.',
        args: {},
        platform: { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' },
        labels: {},
        createdAtSeconds: 0,
      }
      const image = (/** @type {string} */ name) => {
        const { repository, tag: reference = 'latest' } = parseReference(name)
        return registry.source({ repository, reference }, context)
      }
      const built = await builder.build(request, { tree: { directory }, sink: images.sink, image }, context)
      await pipe(images.source(built.manifest), registry.sink('bench/kiwi'), { tag }, context)
      return built
    },
  }
}

// Run by itself it is the whole-process figure: node kiwi.mjs STATE REGISTRY DIRECTORY TAG
if (process.argv[1] === import.meta.filename) {
  const [state = '', registry = '', directory = '', tag = ''] = process.argv.slice(2)
  await kiwiBuilder({ state, registry }).buildAndPush(directory, tag)
  process.exit(0) // connections are kept alive
}
