// Secrets in text that is none of Kiwi's own: a commit's subject, a Dockerfile, a person's reason, an adapter's words about itself.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { casesOf, judge, marked, prefixed, stringsOf } from './cases.mjs'
import { fromSource } from './source.mjs'

const { createKiwi } = await fromSource('kiwi')
const { sqliteStore } = await fromSource('stores/sqlite/index')
const { memoryBuilder, memoryRegistry, memoryRuntime } = await fromSource('testing/index')

/**
 * @param {readonly import('./cases.mjs').Secret[]} secrets
 * @param {{ blindly: boolean }} options `blindly`: Kiwi is given other values, so the redactor knows none of these
 * @returns {Promise<Record<string, any>>} by where it came from and where it was looked for
 */
export async function throughTheWorld(secrets, { blindly }) {
  const directory = mkdtempSync(join(tmpdir(), 'kiwi-prove-elsewhere-'))
  const values = new Map(secrets.map(({ name, value }) => [name, blindly ? `nothing-${name}-of-this` : value]))
  const cases = casesOf(secrets.filter(({ name }) => name === 'A_TOKEN' || name === 'SPACES')).filter(
    ({ writing }) => !/\s\s|[^ -~]/.test(writing.text), // git folds spaces in a subject
  )
  const say = (place) => prefixed(place, cases).map(marked).join(' ')
  const kiwi = await createKiwi({
    builders: {
      memory: {
        ...memoryBuilder(),
        probe: async () => ({ ok: true, summary: say('summary'), details: { about: say('detail') } }),
      },
    },
    registries: { memory: { ...memoryRegistry(), probe: () => Promise.reject(new Error(say('probe that failed'))) } },
    runtimes: { memory: memoryRuntime() },
    store: sqliteStore({ path: join(directory, 'kiwi.sqlite') }),
    secrets: (name) => values.get(name),
    directory,
  })
  try {
    const env = Object.fromEntries(secrets.map(({ name }) => [name, { secret: name }]))
    await kiwi.services.register({
      name: 'web',
      source: { git: makeRepository(directory, say) },
      image: { registry: 'memory', repository: 'web' },
      environments: { production: { runtime: 'memory', env } },
    })
    const run = await kiwi.release('web', { ref: 'main', environment: 'production', by: 'campaign', hold: true })
    const events = await followAndPromote(kiwi, run, say)
    const doctor = await kiwi.doctor()
    const rows = rowsOf(directory)
    const strings = (of) => stringsOf(rows.filter(({ table }) => table === of).map(({ columns }) => columns))
    const seen = (place, where) => judge(prefixed(place, cases), where)
    const without = (place) => present(prefixed(place, cases))
    return {
      'a commit’s subject in events': seen('subject', stringsOf(events)),
      'a commit’s subject in stored rows': seen('subject', strings('steps')),
      'a Dockerfile in events': seen('dockerfile', stringsOf(events)),
      'a person’s reason in events': seen('reason', stringsOf(events)),
      'a person’s reason in stored rows': seen('reason', [...strings('commands'), ...strings('events')]),
      'an adapter’s summary in the doctor’s answer': seen('summary', stringsOf(doctor)),
      'an adapter’s details in the doctor’s answer': seen('detail', stringsOf(doctor)),
      'an adapter’s error in the doctor’s answer': seen('probe that failed', stringsOf(doctor)),
      needed: {
        'needed in stored rows': {
          'the Dockerfile, to build the same after a crash': without('dockerfile')(strings('steps')),
        },
      },
    }
  } finally {
    await kiwi.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

function makeRepository(directory, say) {
  const repository = join(directory, 'repository')
  mkdirSync(repository)
  writeFileSync(join(repository, 'Dockerfile'), `FROM scratch\n# ${say('dockerfile')}\nCOPY . .\n`)
  const git = (...args) =>
    execFileSync('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { stdio: 'ignore' })
  git('init', '-q', '-b', 'main')
  git('add', '.')
  git('commit', '-q', '-m', say('subject'))
  return repository
}

async function followAndPromote(kiwi, run, say) {
  const events = []
  let promoted = false
  for await (const event of run) {
    events.push(event)
    if (event.type !== 'rollout' || promoted) continue
    promoted = true
    await kiwi.promote(run.id, { by: 'campaign', reason: say('reason') })
  }
  await run.result
  return events
}

function rowsOf(directory) {
  const database = new DatabaseSync(join(directory, 'kiwi.sqlite'), { readOnly: true })
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
  const rows = tables.flatMap(({ name }) =>
    database
      .prepare(`SELECT * FROM "${name}"`)
      .all()
      .map((row) => ({ table: name, columns: Object.values(row).map(parsed) })),
  )
  database.close()
  return rows
}

function parsed(column) {
  try {
    return JSON.parse(String(column))
  } catch {
    return String(column)
  }
}

/** How many of them stand there as they are. */
function present(cases) {
  return (strings) => cases.filter((one) => strings.some((text) => text.includes(marked(one)))).length
}
