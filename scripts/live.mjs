// Runs the live tests (*.live.test.ts) against real parts: those that the environment names or the machine has, else those
// that the testbed can start here, which are stopped afterwards.
//   node scripts/live.mjs [--part NAME]... [--keep] [--needed] [FILTER or option of the test runner]...
//   --part   only these       --keep   leave running what was started       --needed   name the parts that tests ask for
//   KIWI_REQUIRE=docker,git   fail when one of these is missing
import { spawn } from 'node:child_process'
import { parts } from './live/parts.mjs'
import { neededImages, neededParts } from './live/tests.mjs'
import { inRoot } from './setup/paths.mjs'
import { runForeground } from './setup/run.mjs'

/** @typedef {{ part: import('./live/parts.mjs').Part, values?: Record<string, string>, state: string, started: boolean }} Found */

const { chosen, keep, needed, rest } = readArguments(process.argv.slice(2))
if (needed) console.log(neededParts().join(','))
else process.exitCode = await main()

async function main() {
  const required = (process.env.KIWI_REQUIRE ?? '').split(',').filter(Boolean)
  const unknown = [...required, ...chosen].filter((name) => !parts.some((part) => part.name === name))
  if (unknown.length > 0)
    return refuse(`no such part: ${unknown.join(', ')} (there are: ${parts.map(({ name }) => name).join(', ')})`)
  /** @type {Found[]} */
  const found = []
  try {
    for (const part of parts) {
      if (chosen.length === 0 || chosen.includes(part.name) || required.includes(part.name))
        found.push(await bring(part, required.includes(part.name)))
    }
    console.log(table(found))
    const missing = required.filter((name) => !found.some(({ part, values }) => part.name === name && values))
    if (missing.length > 0) return refuse(`KIWI_REQUIRE names what is missing: ${missing.join(', ')}`)
    await makeImages(found)
    return await runForeground(process.execPath, [inRoot('scripts/vitest.mjs'), 'run', ...rest], environment(found))
  } finally {
    if (!keep)
      for (const { part } of found.filter(({ started }) => started).reverse())
        await runScript(part.script ?? '', ['stop'])
  }
}

/**
 * @param {import('./live/parts.mjs').Part} part
 * @param {boolean} isRequired worth the minutes that building a binary may take
 * @returns {Promise<Found>}
 */
async function bring(part, isRequired) {
  const values = await part.find()
  if (values) return { part, values, state: 'found', started: false }
  const named = part.named()
  if (named) return { part, state: `missing: nothing answers at ${named}`, started: false }
  if (!part.script) return { part, state: 'missing', started: false }
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return { part, state: 'missing; only root on Linux can start one', started: false }
  const start = performance.now()
  const { code, lastLine } = await runScript(part.script, [], { KIWI_TESTBED_BUILD: isRequired ? '1' : '0' })
  const begun = code === 0 ? await part.find() : undefined
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  if (begun) return { part, values: begun, state: `started in ${seconds} s`, started: true }
  return { part, state: `missing; testbed/${part.script}: ${lastLine}`, started: code === 0 }
}

/**
 * @param {string} name
 * @param {string[]} args
 * @param {Record<string, string>} [variables]
 * @returns {Promise<{ code: number, lastLine: string }>}
 */
function runScript(name, args, variables = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(inRoot(`testbed/${name}`), args, {
      env: { ...process.env, ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const take = (/** @type {Buffer} */ bytes) => {
      output += bytes
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.once('error', reject)
    child.once('exit', (code) => {
      child.stdout.destroy() // a server that it started may still hold the other end
      child.stderr.destroy()
      resolve({ code: code ?? 1, lastLine: output.trim().split('\n').at(-1) ?? '' })
    })
  })
}

/** @param {Found[]} found */
async function makeImages(found) {
  const registry = found.find(({ part }) => part.name === 'registry')?.values
  const names = neededImages()
  if (process.env.KIWI_LIVE_REGISTRY || !registry || names.length === 0 || process.getuid?.() !== 0) return
  console.log(`base images: ${names.join(', ')}`)
  const { code, lastLine } = await runScript('images', names)
  if (code !== 0) console.log(`testbed/images: ${lastLine}`) // the tests that need one will say so
}

/** @param {Found[]} found */
function environment(found) {
  const other = Object.entries(process.env).filter(([name]) => !parts.some(({ variables }) => variables.includes(name)))
  return { ...Object.fromEntries(other), ...Object.assign({}, ...found.map(({ values }) => values)), KIWI_LIVE: '1' }
}

/** @param {Found[]} found */
function table(found) {
  const rows = found.map(({ part, state, values }) => [
    part.name,
    state,
    Object.values(values ?? {})
      .map(withoutPassword)
      .join(' '),
  ])
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** @param {string} value */
function withoutPassword(value) {
  return value.replace(/(:\/\/[^:/@]*):[^@/]*@/, '$1:***@')
}

/** @param {string} reason */
function refuse(reason) {
  console.error(reason)
  return 1
}

/** @param {string[]} args */
function readArguments(args) {
  const read = { chosen: /** @type {string[]} */ ([]), keep: false, needed: false, rest: /** @type {string[]} */ ([]) }
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? ''
    if (argument === '--part') read.chosen.push(args[++index] ?? '')
    else if (argument === '--keep') read.keep = true
    else if (argument === '--needed') read.needed = true
    else read.rest.push(argument)
  }
  return read
}
