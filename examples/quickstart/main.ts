// From a Git repository to a running release, to the next one without a failed request, and back again; on this machine alone.
//   npm run quickstart [-- --json] [-- --base node:24-slim] [-- --keep]
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, styleText } from 'node:util'
import { createEmbeddedKiwi, type EmbeddedKiwi } from '@kiwi/adapter-local'
import { ociRegistry } from '@kiwi/adapter-registry'
import { KiwiError, type Release, type Run } from '@kiwi/core'
import { ask, type Load, startLoad } from './load.ts'
import { changeGreeting, definition, makeRepository } from './scenario.ts'
import { bytes, seconds, show } from './view.ts'

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    base: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
})
/** Where people read: beside the machine's line, when there is one. */
const people = options.json ? process.stderr : process.stdout
const startedAt = Date.now()
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort(new Error(signal)))

const home = await mkdtemp(join(tmpdir(), 'kiwi-quickstart-'))
const kiwi = await createEmbeddedKiwi({
  directory: join(home, 'state'),
  registries: baseRegistries(),
  isolation: 'auto-with-none',
})
const work = quickstart(kiwi)
try {
  await Promise.race([work, interrupted(stopping.signal)])
} catch (error) {
  process.exitCode = 1
  report(error)
} finally {
  await kiwi.runtime.stop({ service: 'hello', environment: 'production' })
  await kiwi.close()
  await work.catch(() => undefined) // what was interrupted has let go of the folder by then
  if (options.keep) say(`kept: ${home}`)
  else await rm(home, { recursive: true, force: true })
}
if (stopping.signal.aborted) process.exit(130)

async function quickstart(kiwi: EmbeddedKiwi): Promise<void> {
  const repository = join(home, 'repository')
  makeRepository(repository)
  title('Kiwi quickstart: this machine is builder, registry and runtime')
  await tellIsolation(kiwi)
  if (options.base === undefined) say('making a base image of the Node that runs this …')
  const base = options.base ?? (await kiwi.provideNodeImage(stopping.signal))
  say(`base image: ${base}`)
  await kiwi.services.register(definition(repository, base))

  title('1. The first commit')
  const first = await finished(
    await kiwi.release('hello', { ref: 'main', environment: 'production', by: 'quickstart' }),
  )
  const [url = ''] = first.addresses
  await expectAnswer(url, 'Hello from the first release')

  const load = startLoad(url)
  title('2. A second commit, released while people use the first')
  changeGreeting(repository, 'Hello from the second release')
  const second = await finished(
    await kiwi.release('hello', { ref: 'main', environment: 'production', by: 'quickstart' }),
  )
  await expectAnswer(url, 'Hello from the second release')

  title('3. Back to the first one, under the same load')
  const rollback = await finished(
    await kiwi.rollback('hello', { environment: 'production', by: 'quickstart', reason: 'to show it' }),
  )
  await expectAnswer(url, 'Hello from the first release')
  await load.stop()

  summary(await kiwi.history('hello', 'production'), { releases: [first, second], rollback, load })
}

async function finished(run: Run<Release>): Promise<Release> {
  await show(run, people)
  return run.result
}

async function expectAnswer(url: string, greeting: string): Promise<void> {
  const answer = await ask(url)
  if (!answer.startsWith(greeting)) throw new Error(`${url} said '${answer.trim()}', not '${greeting}'`)
  say(`${styleText('green', '✓')} ${url} says “${answer.trim()}”`)
}

async function tellIsolation(kiwi: EmbeddedKiwi): Promise<void> {
  for (const { part, summary } of (await kiwi.doctor()).adapters) say(`${part.padEnd(8)} ${summary}`)
}

function summary(history: readonly Release[], done: { releases: Release[]; rollback: Release; load: Load }): void {
  const { releases, rollback, load } = done
  title('History')
  for (const { number, kind, status, image, commit, durationMs } of history) {
    const row = [
      `#${number}`,
      kind.padEnd(8),
      status,
      commit?.slice(0, 7) ?? '',
      image?.tag ?? '',
      image?.digest.slice(0, 19) ?? '',
    ]
    say(`${row.join('  ')}  ${bytes(image?.sizeBytes ?? 0)}  ${seconds(durationMs)}`)
  }
  const { total, failed } = load.counts
  const verdict =
    failed === 0
      ? styleText('green', `${total} requests, 0 failed`)
      : styleText('red', `${failed} of ${total} requests failed: ${load.failures[0]}`)
  say(`\n${verdict}, ${seconds(Date.now() - startedAt)} in all`)
  if (failed > 0) process.exitCode = 1
  if (!options.json) return
  const durationMs = Date.now() - startedAt
  process.stdout.write(
    `${JSON.stringify({ ok: failed === 0, releases, rollback, requests: { total, failed }, durationMs })}\n`,
  )
}

function report(error: unknown): void {
  if (stopping.signal.aborted) {
    say('\nstopped; everything that was started is being ended')
    return
  }
  const { code, message, hint, evidence, stage } = KiwiError.from(error)
  say(`\n${styleText('red', `${code}${stage ? ` in ${stage}` : ''}`)}: ${message}\n${hint}`)
  if (evidence !== undefined) say(JSON.stringify(evidence, undefined, 2))
  if (options.json)
    process.stdout.write(
      `${JSON.stringify({ ok: false, error: { code, message, stage, hint }, durationMs: Date.now() - startedAt })}\n`,
    )
}

function interrupted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}

/** docker.io for `--base`, and nobody is asked without it; a mirror near by is asked first when KIWI_DOCKER_MIRROR names one (`127.0.0.1:5000`). */
function baseRegistries() {
  if (options.base === undefined) return {}
  const mirror = process.env.KIWI_DOCKER_MIRROR
  const mirrors = mirror === undefined ? [] : [{ host: mirror, plainHttp: true }]
  return { 'docker.io': ociRegistry({ host: 'docker.io', mirrors }) }
}

function title(text: string): void {
  say(`\n${styleText('bold', text)}`)
}

function say(text: string): void {
  people.write(`${text}\n`)
}
