// The process under test: works through a script of runs on a world that lives in the parent. Killed at any place, run again it goes on.
//   node child.mjs HOME SERVICE SCRIPT [--kill-at N] [--count]      (forked: the adapters are messages to the parent)
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createKiwi, KiwiError, sqliteStore } from '@kiwi/core'
import { definition, scripts } from './scripts.mjs'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { 'kill-at': { type: 'string' }, count: { type: 'boolean', default: false } },
})
const [home = '', service = '', scriptName = ''] = positionals
const killAt = Number(values['kill-at'] ?? 0)
const waiting = new Map()
let requests = 0

process.on('message', ({ id, value, error }) => {
  const { resolve, reject } = waiting.get(id)
  waiting.delete(id)
  if (error) reject(KiwiError.fromRecord(error))
  else resolve(value)
})

/**
 * Asks the world.
 * @param {string} part
 * @param {string} method
 * @param {unknown[]} args
 * @param {import('@kiwi/core').Context} context
 * @returns {Promise<any>}
 */
function ask(part, method, args, { operation }) {
  requests += 1
  const id = requests
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject })
    process.send?.({ id, part, method, args, operation })
  })
}

const probe = async () => ({ ok: true, summary: 'the campaign', details: {} })
/** @type {import('@kiwi/core').Builder} */
const builder = {
  contract: 'builder/v1',
  kind: 'campaign',
  probe,
  fit: async () => ({ ok: true, missing: [] }),
  find: (key, context) => ask('builder', 'find', [key], context),
  build: (request, _, context) => ask('builder', 'build', [request], context),
}
/** @type {import('@kiwi/core').Registry} */
const registry = {
  contract: 'registry/v1',
  kind: 'campaign',
  probe,
  check: async () => {},
  resolve: (place, context) => ask('registry', 'resolve', [place], context),
  source: async (place, context) => {
    const root = await ask('registry', 'resolve', [place], context)
    const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: root.digest, size: 1 }
    return {
      root,
      manifest: async () => new TextEncoder().encode(JSON.stringify({ config, layers: [] })),
      blob: async function* () {},
    }
  },
  sink: () => {
    throw new Error('nothing is pushed: the builder does it')
  },
  address: (repository) => `campaign.test/${repository}`,
  protect: (repository, digests, context) => ask('registry', 'protect', [repository, digests], context),
}
/** @type {import('@kiwi/core').Runtime} */
const runtime = {
  contract: 'runtime/v1',
  kind: 'campaign',
  traits: { takes: ['registry'], rolling: 'composed', routes: 'many' },
  probe,
  claim: (target, context) => ask('runtime', 'claim', [target], context),
  async *observe(target, context) {
    for (let last = ''; !context.signal.aborted; ) {
      const snapshot = await ask('runtime', 'look', [target], context)
      const text = JSON.stringify(snapshot)
      if (text !== last) yield snapshot
      else await new Promise((resolve) => setTimeout(resolve, 3))
      last = text
    }
  },
  act: (target, action, context) => ask('runtime', 'act', [target, action], context),
  evidence: (target, slot, context) => ask('runtime', 'evidence', [target, slot], context),
}

const kiwi = await createKiwi({
  builders: { campaign: builder },
  registries: { campaign: registry },
  runtimes: { campaign: runtime },
  store: sqliteStore({ path: join(home, 'kiwi.sqlite') }),
  directory: join(home, 'state'),
  onKillPoint: ({ number, name }) => {
    if (values.count) console.log(`${number} ${name}`)
    if (number === killAt) process.kill(process.pid, 'SIGKILL')
  },
})
await kiwi.services.register(definition(service, join(home, 'repository')))
for (const run of await kiwi.resume())
  if ((await kiwi.runs({ service })).some(({ runId }) => runId === run.id)) await run.result.catch(() => {})
await scripts[scriptName].play(kiwi, service)
await kiwi.close()
if (values.count) console.log(`requests: ${requests}`)
process.disconnect()
