// Whole runs on the SQLite store, whose adapters put every writing of every secret wherever an adapter can put text.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { inspect } from 'node:util'
import { casesOf, judge, marked, prefixed, stringsOf } from './cases.mjs'
import { fromSource } from './source.mjs'

const { createKiwi } = await fromSource('kiwi')
const { KiwiError } = await fromSource('errors/kiwi-error')
const { sqliteStore } = await fromSource('stores/sqlite/index')
const { memoryBuilder, memoryRegistry, memoryRuntime } = await fromSource('testing/index')

/**
 * Two runs: one whose build prints everything and goes well, one whose build fails with everything in its error.
 * @param {readonly import('./cases.mjs').Secret[]} secrets
 * @param {{ blindly: boolean }} options `blindly`: Kiwi is given other values, so the redactor knows none of these
 * @returns {Promise<Record<string, import('./cases.mjs').Tally>>} by sink
 */
export async function wholeRun(secrets, { blindly }) {
  const directory = mkdtempSync(join(tmpdir(), 'kiwi-prove-redaction-'))
  const values = new Map(secrets.map(({ name, value }) => [name, blindly ? `nothing-${name}-of-this` : value]))
  const cases = casesOf(secrets)
  const orders = { what: /** @type {'print' | 'fail' | 'crash'} */ ('print') }
  const kiwi = await createKiwi({
    builders: { memory: talkative(orders, cases, secrets) },
    registries: { memory: memoryRegistry() },
    runtimes: { memory: leavesEvidence(orders, cases) },
    store: sqliteStore({ path: join(directory, 'kiwi.sqlite') }),
    secrets: (name) => values.get(name),
    directory,
  })
  try {
    await kiwi.services.register(definition(makeRepository(directory), secrets))
    const printed = await outcome(kiwi, orders, 'print')
    const failed = await outcome(kiwi, orders, 'fail')
    const crashed = await outcome(kiwi, orders, 'crash')
    const events = [...printed.events, ...failed.events, ...crashed.events]
    const rowsAndBytes = inFiles(directory, cases) // while it is open: what is not checkpointed lies in the WAL
    await kiwi.close()
    const afterwards = inFiles(directory, cases)
    const ofErrors = cases.filter((_, index) => index % 3 === 0)
    return {
      'log events of a run': judge(cases, [logOf(printed.events)]),
      'env, set and export -p of a real child': judge(...environmentCases(secrets, printed.events)),
      'other events': judge(prefixed('choice', cases), otherStrings(events)),
      'evidence in events': judge(prefixed('evidence', cases), otherStrings(failed.events)),
      'last output kept of a crash': judge(prefixed('output', ofErrors), [otherStrings(crashed.events).join('\n')]),
      'evidence of the error the host gets': judge(prefixed('evidence', cases), stringsOf(failed.error.evidence)),
      'keys in that evidence': judge(prefixed('key', ofErrors), stringsOf(failed.error.evidence)),
      'message of that error': judge(prefixed('message', ofErrors), [failed.error.message]),
      'hint of that error': judge(prefixed('hint', ofErrors), [failed.error.hint]),
      'causes of that error': judge(prefixed('cause', ofErrors), causesOf(failed.error)),
      'stacks of that error': judge(prefixed('message', ofErrors), [String(failed.error.stack)]),
      'that error, inspected': judge(prefixed('message', ofErrors), [inspect(failed.error, whole)]),
      'stored rows, logs': judge(cases, [rowsAndBytes.logs]),
      'stored rows, errors': judge(prefixed('evidence', cases), rowsAndBytes.strings),
      'stored rows, last output': judge(prefixed('output', ofErrors), [rowsAndBytes.strings.join('\n')]),
      'stored rows, causes': judge(prefixed('cause', ofErrors), rowsAndBytes.strings),
      'bytes of the files, while open': rowsAndBytes.bytes,
      'bytes of the files, afterwards': afterwards.bytes,
    }
  } finally {
    await kiwi.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

const whole = { depth: 20, maxStringLength: null, maxArrayLength: null, breakLength: Number.POSITIVE_INFINITY }

function definition(git, secrets) {
  return {
    name: 'web',
    source: { git },
    image: { registry: 'memory', repository: 'web' },
    environments: {
      production: {
        runtime: 'memory',
        readyWithinMs: 2_000,
        env: Object.fromEntries(secrets.map(({ name }) => [name, { secret: name }])),
      },
    },
  }
}

function makeRepository(directory) {
  const repository = join(directory, 'repository')
  mkdirSync(repository)
  writeFileSync(join(repository, 'Dockerfile'), 'FROM scratch\nCOPY . .\n')
  const git = (...args) =>
    execFileSync('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { stdio: 'ignore' })
  git('init', '-q', '-b', 'main')
  git('add', '.')
  git('commit', '-q', '-m', 'One')
  return repository
}

/** Follows a run to its end. */
async function outcome(kiwi, orders, what) {
  orders.what = what
  const run = await kiwi.release('web', { ref: 'main', environment: 'production', by: 'campaign' })
  const events = await Array.fromAsync(run)
  const error = await run.result.then(
    () => undefined,
    (thrown) => thrown,
  )
  if ((error === undefined) !== (what === 'print'))
    throw new Error(`a run that was to ${what} ended with ${inspect(error)}`)
  return { events, error }
}

/** A builder that says too much. */
function talkative(orders, cases, secrets) {
  const builder = memoryBuilder()
  return {
    ...builder,
    find: async () => undefined, // each run is to build
    async build(request, io, context) {
      if (orders.what === 'print') {
        for (const one of cases) await print(one, context)
        await printEnvironment(secrets, context)
      }
      for (const one of prefixed('choice', orders.what === 'print' ? cases : []))
        context.report({ type: 'choice', what: 'isolation', value: marked(one), because: `it is ${marked(one)}` })
      if (orders.what === 'fail') throw failure(cases)
      return builder.build(request, io, context)
    },
  }
}

/** In two pieces, cut somewhere else each time. */
async function print(one, context) {
  const bytes = Buffer.from(`${marked(one)}\n`)
  const cut = (Number(one.id) * 7) % bytes.length
  const at = { step: 'RUN', stream: Number(one.id) % 2 === 0 ? 'out' : 'err' }
  await context.output(bytes.subarray(0, cut), at)
  await context.output(bytes.subarray(cut), at)
}

/** What a RUN line or a hook does that is being looked into. Names of variables carry the marks. */
async function printEnvironment(secrets, context) {
  const script = 'env -0 | tr "\\\\0" "\\\\n"; export -p; env | base64; env | od -An -v -tx1 | tr -d " \\\\n"'
  const env = Object.fromEntries(
    secrets.flatMap(({ value }, index) => [
      [`KIWI_V${index}`, value],
      [`KIWI_V${index}_`, 'end'],
    ]),
  )
  const child = spawn('sh', ['-c', script], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  for await (const chunk of child.stdout) await context.output(chunk, { step: 'env', stream: 'out' })
  await closed
}

/** Nothing of a value, eight characters long, may be in what that child printed: raw, in hexadecimal, in base64 of whichever alignment. */
function environmentCases(secrets, events) {
  const said = textOf(events.filter(({ type, step }) => type === 'log' && step === 'env'))
  if (!said.includes('KIWI_V0=')) throw new Error('the child printed no environment')
  const joined = said.replace(/\n/g, '')
  const cases = secrets
    .filter(({ word }) => !word) // it stands in any environment
    .flatMap((secret) => {
      const value = Buffer.from(secret.value.trim())
      const ways = {
        raw: [value.toString()],
        hex: [value.toString('hex')],
        base64: [0, 1, 2].map((before) => core(value, before)),
      }
      return Object.entries(ways).map(([encoding, texts]) => {
        const found = texts.some((text) => windows(text).some((part) => said.includes(part) || joined.includes(part)))
        const text = found ? texts.join(' ') : '[redacted:]'
        return { id: `${secret.name} ${encoding}`, secret, writing: { encoding: `printed ${encoding}`, text, left: 0 } }
      })
    })
  return /** @type {const} */ ([cases, cases.map(marked)])
}

function windows(text) {
  return Array.from({ length: Math.max(text.length - 7, 1) }, (_, at) => text.slice(at, at + 8))
}

/** The characters of a base64 text that are this value's alone, when so many bytes stand before it. */
function core(value, before) {
  const text = Buffer.concat([Buffer.alloc(before), value]).toString('base64')
  return text.slice(before === 0 ? 0 : before + 1, Math.floor(((before + value.length) * 4) / 3))
}

function failure(cases) {
  const some = cases.filter((_, index) => index % 3 === 0)
  const say = (prefix, of) => prefixed(prefix, of).map(marked)
  const innermost = new Error(say('cause', some).join('\n'))
  const cause = new TypeError('the one between', { cause: innermost })
  return new KiwiError('BUILD_STEP_FAILED', say('message', some).join(' '), {
    hint: say('hint', some).join(' '),
    evidence: {
      lines: say('evidence', cases),
      args: Object.fromEntries(say('key', some).map((key) => [key, true])),
    },
    cause,
  })
}

/** A runtime that shows an instance's last words, which are not good ones. */
function leavesEvidence(orders, cases) {
  const health = () => (orders.what === 'crash' ? 'crashes' : 'ready')
  const runtime = memoryRuntime({ health })
  const some = prefixed(
    'output',
    cases.filter((_, index) => index % 3 === 0),
  )
  return {
    ...runtime,
    evidence: async (_, slot) => ({
      slot,
      instances: [{ id: `${slot}-0`, exitCode: 1, lastOutput: some.flatMap((one) => marked(one).split('\n')) }],
    }),
  }
}

function logOf(events) {
  return textOf(events.filter(({ type, step }) => type === 'log' && step === 'RUN'))
}

/** The lines of each stream, one after the other. */
function textOf(events) {
  return ['out', 'err']
    .map((stream) =>
      events
        .filter((event) => event.stream === stream)
        .map(({ text }) => text)
        .join('\n'),
    )
    .join('\n')
}

function otherStrings(events) {
  return events.filter(({ type }) => type !== 'log').flatMap(stringsOf)
}

function causesOf(error) {
  const causes = []
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause)
    causes.push(cause.message, String(cause.stack))
  return causes
}

/** Everything below the store's folder but the repository: rows as a program reads them, and bytes as a thief does. */
function inFiles(directory, cases) {
  const database = new DatabaseSync(join(directory, 'kiwi.sqlite'), { readOnly: true })
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
  const rows = tables.flatMap(({ name }) => database.prepare(`SELECT * FROM "${name}"`).all())
  database.close()
  const values = rows.flatMap((row) => Object.values(row)).map(parsed)
  const logs = textOf(values.filter((value) => value?.type === 'log' && value.step === 'RUN'))
  const strings = values.filter((value) => value?.type !== 'log').flatMap(stringsOf)
  return { logs, strings, bytes: inBytes(directory, cases) }
}

function parsed(column) {
  try {
    return JSON.parse(String(column))
  } catch {
    return String(column)
  }
}

/** Writings too short to be told from chance, and words, are left to the rows. */
function inBytes(directory, cases) {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !join(entry.parentPath, '/').includes('/repository/'))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)))
  const tally = { cases: 0, leaks: 0, lost: 0, examples: /** @type {string[]} */ ([]) }
  for (const { secret, writing } of cases) {
    if (secret.word || writing.text.length < 8) continue
    tally.cases += 1
    const forms = [writing.text, JSON.stringify(writing.text).slice(1, -1)].map((text) => Buffer.from(text))
    if (!files.some((file) => forms.some((form) => file.includes(form)))) continue
    tally.leaks += 1
    if (tally.examples.length < 5) tally.examples.push(`${secret.name} as ${writing.encoding}`)
  }
  return tally
}
