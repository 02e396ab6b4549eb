// What the quickstart does, without the show: two commits released and the first one brought back. Killed by the campaign, run again it goes on.
//   node child.mjs HOME SERVICE [--kill-at N] [--count]
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createEmbeddedKiwi } from '@kiwi/adapter-local'
import { changeGreeting, definition, makeRepository } from '../../examples/quickstart/scenario.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { 'kill-at': { type: 'string' }, count: { type: 'boolean', default: false } },
})
const [home = '', service = ''] = positionals
const killAt = Number(values['kill-at'] ?? 0)
const repository = join(home, 'repositories', service)
let points = 0

await using kiwi = await createEmbeddedKiwi({
  directory: join(home, 'state'),
  onKillPoint: ({ number, name }) => {
    points = number
    if (values.count) console.log(`${number} ${name}`)
    if (number === killAt) process.kill(process.pid, 'SIGKILL')
  },
})
const asked = { environment: 'production', by: 'campaign' }
if (!existsSync(repository)) {
  makeRepository(repository)
  changeGreeting(repository, `${service} one`)
}
await kiwi.services.register({ ...definition(repository, await kiwi.provideNodeImage()), name: service })
for (const run of await kiwi.resume()) await run.result.catch(() => undefined)
await (await kiwi.release(service, { ...asked, ref: 'main', requestId: 'one' })).result
if (!(await said('two'))) changeGreeting(repository, `${service} two`)
await (await kiwi.release(service, { ...asked, ref: 'main', requestId: 'two' })).result
await (await kiwi.rollback(service, { ...asked, requestId: 'back' })).result
if (values.count) console.log(`points: ${points}`)

/** Whether the second commit was made before this process was killed. */
async function said(word) {
  const { readFile } = await import('node:fs/promises')
  return (await readFile(join(repository, 'server.js'), 'utf8')).includes(`${service} ${word}`)
}
