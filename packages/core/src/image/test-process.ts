import { type ChildProcess, spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'

/** Lets node load our sources as they are: their imports end in `.js`. */
const loader = `
import { registerHooks } from 'node:module'
registerHooks({ resolve: (name, context, next) => {
  try { return next(name, context) } catch (error) {
    if (name.startsWith('.') && name.endsWith('.js')) return next(name.slice(0, -3) + '.ts', context)
    throw error
  }
} })`

/** Another process that runs `program`, a module's text in which `from('./file.ts')` imports beside the caller's `base` (its import.meta.url). */
export function startProcess(
  base: string,
  program: string,
  options: { readonly uid?: number | undefined } = {},
): { readonly child: ChildProcess; readonly output: Promise<string> } {
  const source = `const from = (path) => import(new URL(path, ${JSON.stringify(baseUrl(base))}));\n${program}`
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--import',
      `data:text/javascript,${encodeURIComponent(loader)}`,
      '--input-type=module',
      '--eval',
      source,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], ...(options.uid === undefined ? {} : { uid: options.uid, cwd: '/' }) },
  )
  const ended = new Promise<string>((resolve) => child.on('close', (code, signal) => resolve(`${code ?? signal}`)))
  const output = Promise.all([text(child.stdout), text(child.stderr), ended]).then(([out, errors, end]) => {
    if (end !== '0' && end !== 'SIGKILL') throw new Error(`the process ended with ${end}: ${errors}`)
    return out
  })
  output.catch(() => undefined) // whoever wants it awaits it
  return { child, output }
}

function baseUrl(base: string): string {
  return base.startsWith('file:') ? base : pathToFileURL(base).href
}
