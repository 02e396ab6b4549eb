// SIGKILL of the process that works on runs: at every numbered kill point, between every request and its effect, between every effect and its
// answer, and at 500 random moments; then another process goes on. The far side lives in this process and stays, as real servers do. Proven
// from outside: every run ends, one release for each request, nothing built or migrated twice, the right slot serves, nothing is left over.
import { execFileSync, fork } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { KiwiError } from '@kiwi/core'
import { seeded } from './harness.mjs'
import { scripts } from './journal/scripts.mjs'
import { createWorld } from './journal/world.mjs'

export const timeoutMs = 60_000
export const atOnce = 3
const randomMoments = 500
const child = join(import.meta.dirname, 'journal', 'child.mjs')
const home = await mkdtemp(join(tmpdir(), 'kiwi-prove-journal-'))
const strategies = {
  line: ['blue-green', 'rolling', 'recreate'],
  changes: ['blue-green', 'rolling'],
  away: ['blue-green'],
}
/** Of an undisturbed play, by script and strategy: where random moments are drawn from. */
const usualMs = new Map()

export async function setup() {
  return { [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }) }
}

/** Plays every script once undisturbed, and counts its kill points and its requests. */
export async function plan(seed) {
  const certain = []
  for (const [script, kinds] of Object.entries(strategies)) {
    for (const strategy of kinds) {
      const play = { script, strategy }
      const { points, requests, milliseconds } = await count(play)
      usualMs.set(`${script} ${strategy}`, milliseconds)
      console.log(`${script}, ${strategy}: ${points.length} kill points, ${requests} requests`)
      certain.push(...points.map((name, index) => ({ ...play, point: index + 1, name })))
      for (let request = 1; request <= requests; request += 1)
        certain.push({ ...play, request, effect: false }, { ...play, request, effect: true })
    }
  }
  const random = seeded(seed, 'moments')
  const plays = [...usualMs.keys()].map((key) => key.split(' '))
  const moments = Array.from({ length: randomMoments }, () => {
    const [script, strategy] = random.pick(plays)
    return { script, strategy, part: random.next(), again: random.chance(0.3) ? random.next() : null }
  })
  console.log(`${certain.length} certain places, ${moments.length} random moments`)
  return random.shuffle([...certain, ...moments])
}

async function count({ script, strategy }) {
  const place = await makePlace({ script, strategy })
  const { code, output, milliseconds } = await runChild(place, ['--count'])
  if (code !== 0) throw new Error(`the undisturbed play of ${script}, ${strategy} failed: ${output}`)
  await check(place)
  const lines = output.split('\n')
  return {
    points: lines.filter((line) => /^\d+ /.test(line)).map((line) => line.replace(/^\d+ /, '')),
    requests: place.asked,
    milliseconds,
  }
}

export async function runScenario(scenario, signal) {
  const place = await makePlace(scenario)
  const first = await disturb(place, scenario, signal)
  if ('point' in scenario && first.signal !== 'SIGKILL') throw new Error(`it was not killed: ${first.output}`)
  if (scenario.again != null) await runChild(place, [], { afterMs: scenario.again * usualOf(scenario), signal })
  const resumed = await runChild(place, [], { signal })
  if (resumed.code !== 0)
    throw new Error(`after ${first.signal ?? 'the end'} the next process failed: ${resumed.output}`)
  await check(place)
  await rm(place.directory, { recursive: true, force: true })
}

function disturb(place, scenario, signal) {
  if ('point' in scenario) return runChild(place, ['--kill-at', String(scenario.point)], { signal })
  if ('request' in scenario) return runChild(place, [], { killAt: scenario, signal })
  return runChild(place, [], { afterMs: scenario.part * usualOf(scenario), signal })
}

function usualOf({ script, strategy }) {
  return usualMs.get(`${script} ${strategy}`) ?? 1_000
}

let places = 0

async function makePlace({ script, strategy }) {
  places += 1
  const directory = join(home, String(places))
  const repository = join(directory, 'repository')
  mkdirSync(repository, { recursive: true })
  const git = (...args) => execFileSync('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args])
  git('init', '-q', '-b', 'one')
  for (const name of ['one', 'two']) {
    if (name === 'two') git('checkout', '-q', '-b', 'two')
    writeFileSync(join(repository, 'Dockerfile'), `FROM scratch\nLABEL name=${name}\n`)
    git('add', '.')
    git('commit', '-q', '-m', name)
  }
  return { directory, script, service: `s-${strategy}`, world: createWorld(), asked: 0 }
}

/**
 * @param {Awaited<ReturnType<typeof makePlace>>} place
 * @param {string[]} args
 * @param {{ afterMs?: number, killAt?: { request: number, effect: boolean }, signal?: AbortSignal }} [options]
 *   killed after that time, or when it sends that request: before the world does it, or after it and before the answer
 */
function runChild(place, args, { afterMs, killAt, signal } = {}) {
  const started = performance.now()
  const { promise, resolve } = Promise.withResolvers()
  const process_ = fork(child, [place.directory, place.service, place.script, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    ...(signal && { signal, killSignal: 'SIGKILL' }),
  })
  const kill = () => process_.kill('SIGKILL')
  const timer = afterMs === undefined ? undefined : setTimeout(kill, afterMs)
  let output = ''
  let requests = 0
  for (const stream of [process_.stdout, process_.stderr]) stream?.on('data', (chunk) => (output += chunk))
  process_.on('message', async (message) => {
    const request = /** @type {import('./journal/world.mjs').Request} */ (message)
    // A look changes nothing and how often one is taken is chance: the random moments fall into those.
    if (request.method !== 'look') requests += 1
    place.asked = requests
    const here = request.method !== 'look' && killAt?.request === requests
    if (here && !killAt?.effect) return void kill()
    const answer = await place.world.answer(request).then(
      (value) => ({ id: request.id, value }),
      (error) => ({ id: request.id, error: KiwiError.from(error).toRecord() }),
    )
    if (here) return void kill()
    if (process_.connected) process_.send(answer, () => {}) // it may be gone by now
  })
  process_.on('error', () => {}) // it was ended by the signal: `close` follows
  process_.on('close', (code, signal) => {
    clearTimeout(timer)
    resolve({ code, signal, output, milliseconds: performance.now() - started })
  })
  return promise
}

/** Reads the store's file and the world; nothing of what was under test is believed. */
async function check({ directory, script, service, world }) {
  const wanted = scripts[script]
  const database = new DatabaseSync(join(directory, 'kiwi.sqlite'), { readOnly: true })
  const runs = database.prepare('SELECT ordinal, run_id, status FROM runs').all()
  const events = database.prepare('SELECT seq, body FROM events WHERE run = ? ORDER BY seq')
  const releases = valuesOf(database, 'release')
  const builds = valuesOf(database, 'build')
  const integrity = database.prepare('PRAGMA integrity_check').get()?.integrity_check
  const leases = database.prepare('SELECT count(*) AS held FROM leases WHERE run_id IS NOT NULL').get()
  expect(integrity, 'ok', 'the store is whole')
  expect(leases?.held, 0, 'no lease is held')
  for (const { ordinal, run_id: id, status } of runs) {
    const rows = events.all(ordinal)
    expect(status, 'succeeded', `run ${id} ended well`)
    expect(rows.map(({ seq }) => seq).join(), rows.map((_, index) => index + 1).join(), 'events have no gap')
    const ends = rows.filter(({ body }) => String(body).includes('"run-ended"'))
    expect(ends.length, 1, 'run-ended comes once')
    expect(ends[0] === rows.at(-1), true, 'run-ended comes last')
  }
  database.close()
  const history = releases
    .toSorted((one, other) => one.number - other.number)
    .map(({ number, kind }) => `${number} ${kind}`)
  expect(history.join(', '), wanted.history, 'one release for each request')
  expect(builds.filter(({ status }) => status === 'succeeded').length, wanted.builds, 'one build for each request')
  expect(
    builds.every(({ status }) => status === 'succeeded'),
    true,
    'no build is left running',
  )
  expect(new Set(builds.map(({ number }) => number)).size, builds.length, 'no build number is used twice')
  expect(new Set(world.builder.builds).size, wanted.builds, 'nothing was built for nobody')
  expect(world.builder.builds.length, wanted.builds, 'nothing was built twice')
  expect(new Set(world.tasks).size, world.tasks.length, 'no migration ran twice')
  expect(world.tasks.length, wanted.tasks, 'every migration ran')
  const { slots, route } = world.runtime.snapshot({ service, environment: 'production' })
  expect(route.slots.join(), wanted.routed ?? '', 'the right slot serves')
  const served = slots.find(({ id }) => id === wanted.routed)
  if (served)
    expect(served.instances.filter(({ ready }) => ready).length, served.replicas, 'all its instances are ready')
  if (slots.length > 2) throw new Error(`slots are left over: ${slots.map(({ id }) => id).join()}`)
  const work = join(directory, 'state', 'sources', 'work')
  expect(existsSync(work) ? readdirSync(work).join() : '', '', 'no checkout is left')
}

function valuesOf(database, kind) {
  return database
    .prepare('SELECT value FROM documents WHERE kind = ?')
    .all(kind)
    .map(({ value }) => JSON.parse(String(value)))
}

function expect(actual, wanted, what) {
  if (actual !== wanted) throw new Error(`${what}: expected ${wanted}, got ${actual}`)
}
