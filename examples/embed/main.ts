// An internal platform in one file: it registers a service, follows everything that happens, plans, releases, looks, and goes back.
//   node scripts/with-setup.mjs examples/embed/main.ts
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEmbeddedKiwi } from '@kiwi/adapter-local'
import { type FeedItem, KiwiError, type Plan, type Release } from '@kiwi/core'
import { changeGreeting, definition, makeRepository } from '../quickstart/scenario.ts'

const home = await mkdtemp(join(tmpdir(), 'kiwi-embed-'))
const repository = join(home, 'repository')
makeRepository(repository)
const kiwi = await createEmbeddedKiwi({ directory: join(home, 'state'), isolation: 'auto-with-none' })
const stopping = new AbortController()
const dashboard = follow(kiwi.feed({ signal: stopping.signal }))
const asked = { environment: 'production', by: 'ana' }
try {
  await kiwi.services.register(definition(repository, await kiwi.provideNodeImage(stopping.signal)))
  tellPlan(await kiwi.plan.release('hello', { ...asked, ref: 'main' }))
  tellRelease(await (await kiwi.release('hello', { ...asked, ref: 'main' })).result)
  changeGreeting(repository, 'Hello again')
  tellRelease(await (await kiwi.release('hello', { ...asked, ref: 'main' })).result)
  const { current, rollback } = await kiwi.status('hello', 'production')
  console.log(
    `status: #${current?.number} runs, #${rollback?.release.number} can be brought back (${rollback?.readiness.class})`,
  )
  tellRelease(await (await kiwi.rollback('hello', { ...asked, reason: 'to show it' })).result)
  await kiwi.release('hello', { ...asked, ref: 'mian' }).then((run) => run.result)
} catch (error) {
  const { code, stage, message, hint } = KiwiError.from(error)
  console.log(`${code} in ${stage}: ${message}\n  ${hint}`)
  if (code !== 'REF_NOT_FOUND') process.exitCode = 1 // the typing mistake above is on purpose
} finally {
  stopping.abort()
  await dashboard
  await kiwi.runtime.stop({ service: 'hello', environment: 'production' })
  await kiwi.close()
  await rm(home, { recursive: true, force: true })
}

async function follow(feed: AsyncIterable<FeedItem>): Promise<void> {
  for await (const { event } of feed)
    if (event.type === 'stage-ended')
      console.log(`  ${event.stage} ${event.error ? event.error.code : 'ok'} ${event.durationMs} ms`)
}

function tellPlan({ changes, warnings, problems }: Plan): void {
  for (const change of changes) console.log('would change', change)
  for (const { code, message } of [...warnings, ...problems]) console.log(`${code}: ${message}`)
}

function tellRelease({ number, kind, commit, addresses, durationMs }: Release): void {
  console.log(`#${number} ${kind} of ${commit?.slice(0, 7)} at ${addresses.join(', ')}, ${durationMs} ms`)
}
