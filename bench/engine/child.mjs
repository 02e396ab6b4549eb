// So many releases at once in one process, on adapters in memory and the SQLite store:
//   node child.mjs DIRECTORY RUNS LINES [EVENTS-PER-SECOND]     LINES of output per run; paced to that many events a second altogether
// Prints one line of JSON. The time from commit to delivery is taken around the store, and by a listener on every run.
import { join } from 'node:path'
import { createKiwi, sqliteStore } from '@kiwi/core'
import { memoryBuilder, memoryRegistry, memoryRuntime, memorySource } from '@kiwi/core/testing'

const [directory = '', runsText, linesText, rateText] = process.argv.slice(2)
const runs = Number(runsText)
const lines = Number(linesText)
const rate = Number(rateText ?? 0)
const source = memorySource({ directory })
source.commit('main', { Dockerfile: 'FROM scratch\n' })

/** When the commit of an event was known to be durable, by run and number. */
const committedAt = new Map()
const latencies = []
const sqlite = sqliteStore({ path: join(directory, 'kiwi.sqlite') })
const store = {
  ...sqlite,
  async commit(lease, batch) {
    const done = await sqlite.commit(lease, batch)
    const now = performance.now()
    const count = batch.events?.length ?? 0
    for (let seq = done.seq - count + 1; seq <= done.seq; seq += 1) committedAt.set(`${lease.runId} ${seq}`, now)
    return done
  },
}

const registry = memoryRegistry()
const talking = memoryBuilder()
/** @type {import('@kiwi/core').Builder} */
const builder = {
  ...talking,
  async build(request, io, context) {
    const pauseMs = rate === 0 ? 0 : (1_000 * runs) / rate
    for (let line = 0; line < lines; line += 1) {
      await context.output(new TextEncoder().encode(`line ${line}: compiled one more module of many\n`), {
        stream: 'out',
      })
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
    // Into the registry itself, as a builder in a cluster does: an image on its way through this machine's disk is not what is measured.
    const sink = registry.sink(request.labels['org.opencontainers.image.title'])
    return { ...(await talking.build(request, { ...io, sink }, context)), at: 'registry' }
  },
}

const kiwi = await createKiwi({
  builders: { memory: builder },
  registries: { memory: registry },
  runtimes: { memory: memoryRuntime() },
  source: () => source,
  store,
  directory,
})
/** @type {import('@kiwi/core').EnvironmentDefinition} */
const environment = { runtime: 'memory', replicas: 1, health: { type: 'tcp' }, publish: { protocol: 'tcp' } }
const names = Array.from({ length: runs }, (_, index) => `s${index}`)
await Promise.all(
  names.map((name) =>
    kiwi.services.register({
      name,
      source: { directory },
      image: { registry: 'memory', repository: name },
      environments: { production: environment },
    }),
  ),
)

let peakRss = 0
const watch = setInterval(() => (peakRss = Math.max(peakRss, process.memoryUsage.rss())), 50)
const usage = process.cpuUsage()
const started = performance.now()
const counts = await Promise.all(names.map(listen))
const seconds = (performance.now() - started) / 1_000
const { user, system } = process.cpuUsage(usage)
clearInterval(watch)
const events = counts.reduce((sum, count) => sum + count, 0)
const sorted = Float64Array.from(latencies).sort()
console.log(
  JSON.stringify({
    runs,
    events,
    seconds,
    eventsPerSecond: events / seconds,
    cpuMicrosecondsPerEvent: (user + system) / events,
    p50Ms: sorted[Math.floor(sorted.length * 0.5)],
    p99Ms: sorted[Math.floor(sorted.length * 0.99)],
    peakRssMb: peakRss / 1024 / 1024,
  }),
)
await kiwi.close()

async function listen(name) {
  const run = await kiwi.release(name, { environment: 'production', ref: 'main', by: 'bench' })
  let count = 0
  for await (const { seq } of run) {
    if (seq === undefined) continue
    count += 1
    const key = `${run.id} ${seq}`
    const at = committedAt.get(key)
    committedAt.delete(key)
    if (at !== undefined) latencies.push(performance.now() - at) // run-accepted is the store's own
  }
  await run.result
  return count
}
