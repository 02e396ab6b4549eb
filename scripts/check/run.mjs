import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { inRoot, root } from '../setup/paths.mjs'

/**
 * Runs a tool of node_modules; rejects with what it printed.
 * @param {string} tool
 * @param {string[]} args
 */
export async function output(tool, args) {
  const env = { ...process.env, NO_COLOR: '1' }
  try {
    await promisify(execFile)(inRoot(`node_modules/.bin/${tool}`), args, {
      cwd: root,
      env,
      maxBuffer: 64 * 1024 * 1024,
    })
  } catch (error) {
    const { stdout = '', stderr = '' } = /** @type {{ stdout?: string, stderr?: string }} */ (error)
    throw new Error(`${stdout}${stderr}`.trim() || String(error))
  }
}

/**
 * Does the parts, two at a time, and says of each how long it took; what failed is shown in full.
 * @param {{ name: string, work: () => Promise<unknown> }[]} parts
 * @returns {Promise<boolean>} all went well
 */
export async function runParts(parts) {
  const width = Math.max(...parts.map(({ name }) => name.length))
  const waiting = [...parts]
  let good = true
  const worker = async () => {
    for (let part = waiting.shift(); part; part = waiting.shift()) good = (await runPart(part, width)) && good
  }
  await Promise.all([worker(), worker()])
  return good
}

/**
 * @param {{ name: string, work: () => Promise<unknown> }} part
 * @param {number} width
 */
async function runPart({ name, work }, width) {
  const start = performance.now()
  const error = await work().then(
    () => undefined,
    (reason) => reason,
  )
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`${name.padEnd(width)}  ${error ? 'failed' : 'ok    '}  ${seconds.padStart(5)} s`)
  if (error) console.log(`${error.message}\n`)
  return !error
}
