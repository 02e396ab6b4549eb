// SIGKILL at every numbered point of the quickstart's pipeline and at 50 random moments; then another process resumes. Proven from outside:
// every run ends, one release for each request, the right one serves, and no process, mount or scratch folder is left behind.
import { spawn } from 'node:child_process'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createEmbeddedKiwi } from '@kiwi/adapter-local'
import { seeded } from './harness.mjs'

export const timeoutMs = 120_000
const randomMoments = 50
const child = join(import.meta.dirname, 'line', 'child.mjs')
const home = await mkdtemp(join(tmpdir(), 'kiwi-prove-line-'))

export async function setup() {
  return { [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }) }
}

/** Counts the points by one run that nobody disturbs; the base image is made by it, too. */
export async function plan(seed) {
  const { code, output, milliseconds } = await runChild(['counted', '--count'])
  if (code !== 0) throw new Error(`the undisturbed run failed: ${output}`)
  await check('counted')
  const points = output.split('\n').filter((line) => /^\d+ /.test(line))
  console.log(`${points.length} kill points in one pipeline:\n${points.join('\n')}`)
  const random = seeded(seed, 'moments')
  const moments = Array.from({ length: randomMoments }, () => ({ part: random.next() }))
  undisturbedMs = milliseconds
  return [...points.map((point) => ({ point: Number(point.split(' ')[0]), name: point })), ...moments]
}

let undisturbedMs = 0
let service = 0

export async function runScenario(scenario, signal) {
  service += 1
  const name = `s${service}`
  const killed =
    'point' in scenario
      ? await runChild([name, '--kill-at', String(scenario.point)], { signal })
      : await killLater(name, scenario.part, signal)
  if ('point' in scenario && killed.signal !== 'SIGKILL') throw new Error(`it was not killed: ${killed.output}`)
  const resumed = await runChild([name], { signal })
  if (resumed.code !== 0)
    throw new Error(`after ${killed.signal ?? 'the end'} the next process failed: ${resumed.output}`)
  await check(name)
}

function killLater(name, part, signal) {
  return runChild([name], { afterMs: part * undisturbedMs, signal })
}

/**
 * @param {string[]} args
 * @param {{ afterMs?: number, signal?: AbortSignal }} [options] killed after that time; ended when the signal fires
 */
function runChild(args, { afterMs, signal } = {}) {
  const started = performance.now()
  const { promise, resolve } = Promise.withResolvers()
  const process_ = spawn(process.execPath, [child, home, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal && { signal, killSignal: 'SIGKILL' }),
  })
  const timer = afterMs === undefined ? undefined : setTimeout(() => process_.kill('SIGKILL'), afterMs)
  let output = ''
  for (const stream of [process_.stdout, process_.stderr]) stream.on('data', (chunk) => (output += chunk))
  process_.on('error', () => {}) // it was ended by the signal: `close` follows
  process_.on('close', (code, signal) => {
    clearTimeout(timer)
    resolve({ code, signal, output, milliseconds: performance.now() - started })
  })
  return promise
}

/** Reads the store's file and asks the service; nothing of what was under test is believed. */
async function check(name) {
  const database = new DatabaseSync(join(home, 'state', 'kiwi.sqlite'), { readOnly: true })
  const ends = `SELECT count(*) FROM events WHERE events.run = runs.ordinal AND body LIKE '{"type":"run-ended"%'`
  const runs = database.prepare(`SELECT status, (${ends}) AS ends FROM runs WHERE service = ?`).all(name)
  const releases = database
    .prepare("SELECT value FROM documents WHERE kind = 'release' AND key LIKE ?")
    .all(`${name}/%`)
    .map(({ value }) => JSON.parse(String(value)))
  const integrity = database.prepare('PRAGMA integrity_check').get()
  database.close()
  expect(integrity?.integrity_check, 'ok', 'the store is whole')
  expect(runs.map(({ status }) => status).join(), 'succeeded,succeeded,succeeded', 'every run ended well')
  expect(runs.map(({ ends }) => ends).join(), '1,1,1', 'run-ended comes once')
  expect(
    releases
      .map(({ number, kind }) => `${number} ${kind}`)
      .sort()
      .join(),
    '1 release,2 release,3 rollback',
    'one release for each request',
  )
  const [address] = releases.find(({ number }) => number === 3).addresses
  const said = await (await fetch(address)).text()
  expect(said.startsWith(`${name} one`), true, `the first release serves (${said.trim()})`)
  await stopAndLookForLeftovers(name)
}

async function stopAndLookForLeftovers(name) {
  const kiwi = await createEmbeddedKiwi({ directory: join(home, 'state') })
  await kiwi.runtime.stop({ service: name, environment: 'production' })
  await kiwi.close()
  expect(processesOf(home).join('\n'), '', 'no process is left')
  expect(readFileSync('/proc/self/mounts', 'utf8').includes(home), false, 'no mount is left')
  expect(globSync('state/sources/work/*', { cwd: home }).join(), '', 'no checkout is left')
  const work = join(home, 'state', 'builder', 'work')
  expect(existsSync(work) ? readdirSync(work).join() : '', '', 'no scratch folder of a build is left')
}

/** Every process but this one whose command line or root names our folder. */
function processesOf(directory) {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        return command.includes(directory) || readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(directory)
          ? [`${pid} ${command}`]
          : []
      } catch {
        return []
      }
    })
}

function expect(actual, wanted, what) {
  if (actual !== wanted) throw new Error(`${what}: expected ${wanted}, got ${actual}`)
}
