// node kiwi.mjs push LAYOUT HOST REPOSITORY TAG gzip|zstd   or   node kiwi.mjs pull LAYOUT HOST REPOSITORY TAG
import { join } from 'node:path'
import { ociRegistry } from '@kiwi/adapter-registry'
import { layerMemory, ociLayout, pipe } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'

const [what, directory = '', host = '', repository = '', tag = '', method] = process.argv.slice(2)
const layout = ociLayout(directory)
const registry = ociRegistry({ host, plainHttp: true })
const context = testContext({ id: `bench/${tag}` })
if (what === 'push') {
  const [root] = await layout.roots()
  if (!root) throw new Error(`${directory} holds no image`)
  const compression = {
    method: /** @type {'gzip' | 'zstd'} */ (method === 'zstd' ? 'zstd' : 'gzip'),
    memory: layerMemory(join(directory, 'compressed.json')),
  }
  await pipe(layout.source(root), registry.sink(repository), { tag, compression }, context)
} else {
  await pipe(await registry.source({ repository, reference: tag }, context), layout.sink, { tag }, context)
}
process.exit(0) // connections are kept alive
