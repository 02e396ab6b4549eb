import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { startChild } from '../../src/stores/sqlite/test-child.js'

const packages = new URL('../../../', import.meta.url).href

/** Packages resolve to their source in the child too. */
const prelude = `
const { registerHooks } = await import('node:module')
registerHooks({ resolve: (name, context, next) => {
  const [, own, part] = /^@kiwi\\/([a-z-]+)(?:\\/([a-z-]+))?$/.exec(name) ?? []
  return own ? next('${packages}' + own + '/src/' + (part ? part + '/' : '') + 'index.ts', context) : next(name, context)
} })
const { createKiwi } = await import('@kiwi/core')
const { memoryBuilder, memoryRegistry, memoryRuntime } = await import('@kiwi/core/testing')
const adapters = {
  builders: { memory: memoryBuilder() },
  registries: { memory: memoryRegistry() },
  runtimes: { memory: memoryRuntime() },
  directory: process.env.STATE,
}
`

export interface ChildAnswer {
  /** The JSON of its only line, when it printed one. */
  readonly said: unknown
  readonly signal: NodeJS.Signals | null
  readonly errors: string
}

/** Runs code in a process of its own, where `createKiwi`, `sqliteStore` and memory `adapters` are there already; waits for its end. */
export async function runChild(code: string, options: Parameters<typeof startChild>[1]): Promise<ChildAnswer> {
  const child = startChild(prelude + code, options)
  const lines: string[] = []
  const errors: string[] = []
  createInterface(child.stdout).on('line', (line) => lines.push(line))
  createInterface(child.stderr).on('line', (line) => errors.push(line))
  const [, signal] = await once(child, 'close')
  const last = lines.at(-1)
  return { said: last === undefined ? undefined : JSON.parse(last), signal, errors: errors.join('\n') }
}
