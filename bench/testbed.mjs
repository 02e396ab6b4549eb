import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const testbed = join(import.meta.dirname, '..', 'testbed')

/**
 * Runs a script of the testbed; each is quick when what it gives is there already.
 * @param {string} script
 * @param {...string} args
 * @returns {string} the last line, which says what a client needs
 */
export function testbedScript(script, ...args) {
  const output = execFileSync(join(testbed, script), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  return output.trim().split('\n').at(-1) ?? ''
}
