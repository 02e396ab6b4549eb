import { join } from 'node:path'
import { localBuilder } from '@kiwi/adapter-local'
import { ociRegistry } from '@kiwi/adapter-registry'
import { KiwiError, ociLayout } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { readLayout } from './image.mjs'

const architecture = process.arch === 'x64' ? 'amd64' : process.arch
/** What a builder that cannot know better says: not the Dockerfile is wrong, the builder lacks something. */
const kinds = { BUILD_STEP_FAILED: 'command', BUILDER_UNFIT: 'unfit' }

/**
 * Builds with one local builder, so that what one Dockerfile left in its caches is there for the next.
 * @param {string} directory
 */
export function ourBuilder(directory) {
  const builder = localBuilder({ directory: join(directory, 'state') })
  const sink = ociLayout(join(directory, 'sink'))
  const registry = ociRegistry({ host: '127.0.0.1:5000', plainHttp: true })
  /**
   * @param {import('./entry.mjs').Entry} entry
   * @param {string} context
   * @param {AbortSignal} signal
   * @returns {Promise<import('./image.mjs').Outcome>}
   */
  return async ({ name, dockerfile, args = {}, target }, context, signal) => {
    const test = testContext({ id: name, signal })
    const request = {
      dockerfile,
      dockerfilePath: 'Dockerfile',
      contextPath: '.',
      args,
      target,
      platform: { os: 'linux', architecture },
      labels: {},
      createdAtSeconds: 1_750_000_000,
    }
    const image = async (/** @type {string} */ reference) => {
      const [repository = '', tag = 'latest'] = reference.replace(/^docker\.io\/(library\/)?/, '').split(':')
      return registry.source({ repository: `library/${repository}`, reference: tag }, test)
    }
    try {
      const built = await builder.build(request, { tree: { directory: context }, sink: sink.sink, image }, test)
      return await readLayout(join(directory, 'sink'), built.manifest.digest)
    } catch (error) {
      if (!KiwiError.is(error)) throw error
      return { outcome: 'fails', kind: kinds[error.code] ?? 'refused', message: `${error.code} ${error.message}` }
    }
  }
}
