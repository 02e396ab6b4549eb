// What other processes of the machine can see of a git token while runs fetch over HTTP: arguments, titles, environments of our children.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { casesOf, secretsOf } from './cases.mjs'
import { fromSource } from './source.mjs'

const { createKiwi } = await fromSource('kiwi')
const { sqliteStore } = await fromSource('stores/sqlite/index')
const { gitHttpBackend, testGitServer } = await fromSource('sources/test-git-server')
const { removeTestDirectories, testRepository } = await fromSource('sources/test-repository')
const { memoryBuilder, memoryRegistry, memoryRuntime } = await fromSource('testing/index')

/**
 * What a child needs by its environment, and why there is no better way: git reads a header from its configuration only, and configuration
 * comes by argument (everyone on the machine can read those), by file (stays on disk) or by environment (only the same user can read it).
 */
const needed = new Set(['GIT_CONFIG_VALUE_0'])

const longestTitle = 15

/**
 * @param {number} seed
 * @param {{ blindly: boolean, signal: AbortSignal }} options `blindly`: instead of Kiwi's children, one that shows everything is looked at
 * @returns {Promise<Record<string, any>>} by sink
 */
export async function watchProcesses(seed, { blindly, signal }) {
  if (!existsSync('/proc/self/environ')) throw new Error('this needs /proc')
  if (!existsSync(gitHttpBackend)) throw new Error('this needs git-http-backend')
  const tokens = secretsOf(seed, 0).filter(({ name, value }) => usable.has(name) && !value.includes('\n'))
  const sinks = { ...empty('process arguments'), ...empty('process titles'), ...empty('environments of children') }
  const allowed = /** @type {Record<string, string[]>} */ ({})
  for (const token of tokens) {
    signal.throwIfAborted()
    const cases = casesOf([token]).filter(({ writing }) => writing.text.length >= 4 && !/[\0\n]/.test(writing.text))
    const seen = blindly ? await plant(cases) : await fetchWith(token)
    if (seen.commands.size === 0) throw new Error('no child was seen')
    const others = [...seen.environment].filter(([variable]) => !needed.has(nameOf(variable)))
    count(sinks['process arguments'], cases, [...seen.arguments])
    count(sinks['process titles'], cases, [...seen.titles], longestTitle)
    count(
      sinks['environments of children'],
      cases,
      others.map(([variable]) => variable),
    )
    for (const [variable, commands] of seen.environment)
      if (needed.has(nameOf(variable)))
        allowed[nameOf(variable)] = [...new Set([...(allowed[nameOf(variable)] ?? []), ...commands])]
  }
  const problem = blindly || allowed.GIT_CONFIG_VALUE_0 ? undefined : 'git was never seen with its header'
  return { ...sinks, needed: { 'needed by environment': allowed, ...(problem && { problem }) } }
}

const usable = new Set([
  'FOUR_MARKS',
  'A_TOKEN',
  'SPACES',
  'QUOTES',
  'PERCENTS_AND_DOLLARS',
  'UNICODE',
  'A_PAIR',
  'BASE64_ITSELF',
])

function empty(sink) {
  return { [sink]: { cases: 0, leaks: 0, lost: 0, examples: /** @type {string[]} */ ([]) } }
}

function count(tally, cases, texts, longest = Number.POSITIVE_INFINITY) {
  for (const { secret, writing } of cases) {
    const text = Buffer.from(writing.text).subarray(0, longest).toString('latin1')
    tally.cases += 1
    if (!texts.some((seen) => seen.includes(text))) continue
    tally.leaks += 1
    if (tally.examples.length < 5) tally.examples.push(`${secret.name} as ${writing.encoding}`)
  }
}

/** A run whose repository wants the token; its children are looked at whenever one of them asks something, and in between. */
async function fetchWith({ name, value }) {
  const directory = mkdtempSync(join(tmpdir(), 'kiwi-prove-processes-'))
  const seen = newSeen()
  const repository = testRepository()
  repository.commit('One', { Dockerfile: 'FROM scratch\nCOPY . .\n' })
  const pair = Buffer.from(value.includes(':') ? value : `x-access-token:${value}`).toString('base64')
  const timer = setInterval(() => look(seen), 5)
  process.env[name] = value // as a host does that uses the default: whatever a child inherits wholesale has it
  try {
    await using server = await testGitServer({
      root: dirname(repository.directory),
      before(request, response) {
        look(seen)
        if (request.headers.authorization === `Basic ${pair}`) return false
        response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
        return true
      },
    })
    const git = `${server.url}/${basename(repository.directory)}/.git`
    await using kiwi = await createKiwi({
      builders: { memory: memoryBuilder() },
      registries: { memory: memoryRegistry() },
      runtimes: { memory: memoryRuntime() },
      store: sqliteStore({ path: join(directory, 'kiwi.sqlite') }),
      directory,
    })
    await kiwi.services.register({
      name: 'web',
      source: { git, token: { secret: name } },
      image: { registry: 'memory', repository: 'web' },
      environments: { production: { runtime: 'memory' } },
    })
    const run = await kiwi.release('web', { ref: 'main', environment: 'production', by: 'campaign' })
    await run.result
    return seen
  } finally {
    delete process.env[name]
    clearInterval(timer)
    removeTestDirectories()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** A child with everything in its arguments, its environment and, one after the other, its title. */
async function plant(cases) {
  const seen = newSeen()
  const texts = cases.map(({ writing }) => writing.text)
  const script = 'while IFS= read -r title; do printf %s "$title" > /proc/$$/comm; echo; done'
  const env = { PATH: process.env.PATH, ...Object.fromEntries(texts.map((text, index) => [`PLANTED_${index}`, text])) }
  const child = spawn('sh', ['-c', script, 'sh', ...texts], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  for (const text of texts) {
    child.stdin.write(Buffer.concat([Buffer.from(text).subarray(0, longestTitle), Buffer.from('\n')]))
    await once(child.stdout, 'data')
    look(seen)
  }
  child.stdin.end()
  await once(child, 'close')
  return seen
}

function newSeen() {
  return {
    /** @type {Set<string>} */ arguments: new Set([readFileSync('/proc/self/cmdline', 'latin1')]),
    /** @type {Set<string>} */ titles: new Set([readFileSync('/proc/self/comm', 'latin1')]),
    /** @type {Map<string, Set<string>>} which commands had a variable */ environment: new Map(),
    /** @type {Set<string>} */ commands: new Set(),
  }
}

/** All that come from this process, at any remove. */
function look(seen) {
  const parents = new Map(
    readdirSync('/proc')
      .filter((id) => /^\d+$/.test(id))
      .map((id) => [id, parentOf(id)]),
  )
  for (const id of parents.keys()) if (comesFromUs(id, parents)) remember(seen, id)
}

function parentOf(id) {
  const status = read(id, 'stat')
  return status.slice(status.lastIndexOf(')') + 2).split(' ')[1] ?? '0'
}

function comesFromUs(id, parents) {
  for (let at = parents.get(id); at !== undefined && at !== '0'; at = parents.get(at))
    if (at === String(process.pid)) return true
  return false
}

function remember(seen, id) {
  const title = read(id, 'comm')
  if (title === '') return
  const command = title.trim()
  seen.commands.add(command)
  seen.titles.add(title)
  seen.arguments.add(read(id, 'cmdline'))
  for (const variable of read(id, 'environ').split('\0'))
    seen.environment.set(variable, (seen.environment.get(variable) ?? new Set()).add(command))
}

function read(id, file) {
  try {
    return readFileSync(`/proc/${id}/${file}`, 'latin1')
  } catch {
    return '' // it ended meanwhile
  }
}

function nameOf(variable) {
  return variable.slice(0, variable.indexOf('='))
}
