import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'

/** Lets a child process import this package's source by the names it uses: Node takes the types out. */
const hook = `import { registerHooks } from 'node:module'
registerHooks({ resolve: (name, context, next) =>
  next(name.startsWith('.') && context.parentURL?.endsWith('.ts') ? name.replace(/\\.js$/, '.ts') : name, context) })`

const store = new URL('./index.ts', import.meta.url).href

/** Runs code in a process of its own, where `sqliteStore` is there already; what it prints comes out of `stdout`. For tests that kill. */
export function startChild(
  code: string,
  { env = {}, before = [] }: ChildOptions = {},
): ChildProcessByStdio<null, Readable, Readable> {
  const script = `const { sqliteStore } = await import('${store}')\n${code}`
  const node = ['--import', `data:text/javascript,${encodeURIComponent(hook)}`, '--input-type=module', '-e', script]
  const [command = process.execPath, ...args] = [...before, process.execPath, ...node]
  return spawn(command, args, { env: { ...process.env, NODE_OPTIONS: '', ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
}

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>
  /** A program, with its arguments, that starts it. */
  readonly before?: readonly string[]
}
