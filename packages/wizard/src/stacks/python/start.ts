import type { Files } from '../../files.js'
import { describe, evidenceAt, searchFiles, sourcesAmong } from '../../search.js'
import type { Evidence, Found } from '../../stack.js'
import type { Requirements } from './requirements.js'

export interface PythonStart {
  readonly argv: readonly string[]
  readonly port: number
  readonly why: string
  readonly evidence: Evidence
}

const usualEntries = ['main.py', 'app.py', 'server.py', 'start.py', 'run.py', 'bot.py']
const portPatterns = [
  /(?:environ(?:\.get)?|getenv)\s*[([]\s*['"]PORT['"]\s*(?:,|[)\]]\s*or)\s*['"]?(\d{2,5})/,
  /\bport\s*=\s*(\d{2,5})\b/i,
  /\(\s*['"](?:0\.0\.0\.0)?['"]\s*,\s*(\d{2,5})\s*\)/,
]

/** How the application starts: Procfile, Django, an ASGI or WSGI object, else a file with a usual name. */
export async function readPythonStart(
  files: Files,
  requirements: Requirements | undefined,
): Promise<PythonStart | undefined> {
  const has = (name: string) => requirements?.names.has(name) === true
  return (
    (await fromProcfile(files)) ??
    (has('django') ? await fromDjango(files, has) : undefined) ??
    (has('fastapi') || has('starlette')
      ? await fromObject(files, has, /^(\w+)(?:\s*:\s*\w+)?\s*=\s*(?:FastAPI|Starlette)\(/m)
      : undefined) ??
    (has('flask') ? await fromObject(files, has, /^(\w+)(?:\s*:\s*\w+)?\s*=\s*Flask\(/m) : undefined) ??
    (await fromUsualEntry(files))
  )
}

type Has = (name: string) => boolean

async function fromProcfile(files: Files): Promise<PythonStart | undefined> {
  const text = (await files.read('Procfile')) ?? ''
  const command = /^web:\s*(.+?)\s*$/m.exec(text)?.[1]
  if (command === undefined) return undefined
  const evidence = evidenceAt('Procfile', text, /^web:/m, 'python/procfile')
  const told = /(?:--port[= ]|:)(\d{2,5})\b/.exec(command)?.[1]
  const plain = !/["'\\|&;<>()$`*?{}~]/.test(command)
  const argv = plain ? command.split(/\s+/) : ['sh', '-c', `exec ${command}`]
  return { argv, port: Number(told ?? 8000), why: `What the web line of ${describe(evidence)} runs.`, evidence }
}

async function fromDjango(files: Files, has: Has): Promise<PythonStart | undefined> {
  const paths = await files.list()
  if (!paths.includes('manage.py')) return undefined
  const wsgi = paths.find((path) => /^[\w/]+\/wsgi\.py$/.test(path))
  const evidence = { file: wsgi ?? 'manage.py', rule: 'python/django' }
  if (wsgi !== undefined && has('gunicorn')) {
    const argv = ['gunicorn', '--bind', '0.0.0.0:8000', `${moduleOf(wsgi)}:application`]
    return { argv, port: 8000, why: `Django's WSGI application is in ${wsgi}.`, evidence }
  }
  const why = "This is Django's server for developers: add gunicorn to requirements.txt to have a real one."
  return { argv: ['python', 'manage.py', 'runserver', '--noreload', '0.0.0.0:8000'], port: 8000, why, evidence }
}

async function fromObject(files: Files, has: Has, pattern: RegExp): Promise<PythonStart | undefined> {
  const sources = sourcesAmong(await files.list(), /\.py$/, usualEntries)
  const found = await searchFiles(files, sources, [pattern], 'python/application-object')
  if (found === undefined) return undefined
  const { evidence } = found
  const target = `${moduleOf(evidence.file)}:${found.value}`
  const why = `The application object ${found.value} is at ${describe(evidence)}.`
  if (!pattern.source.includes('Flask')) {
    if (has('uvicorn') || has('fastapi[standard]'))
      return { argv: ['uvicorn', target, '--host', '0.0.0.0', '--port', '8000'], port: 8000, why, evidence }
    return has('hypercorn')
      ? { argv: ['hypercorn', '--bind', '0.0.0.0:8000', target], port: 8000, why, evidence }
      : undefined
  }
  if (has('gunicorn')) return { argv: ['gunicorn', '--bind', '0.0.0.0:8000', target], port: 8000, why, evidence }
  if (has('waitress'))
    return { argv: ['waitress-serve', '--host=0.0.0.0', '--port=8000', target], port: 8000, why, evidence }
  const developer = `${why} This is Flask's server for developers: add gunicorn to requirements.txt to have a real one.`
  return {
    argv: ['flask', '--app', target, 'run', '--host=0.0.0.0', '--port=8000'],
    port: 8000,
    why: developer,
    evidence,
  }
}

async function fromUsualEntry(files: Files): Promise<PythonStart | undefined> {
  const paths = await files.list()
  const entry = usualEntries.find((file) => paths.includes(file))
  if (entry === undefined) return undefined
  const port = await readPythonPort(files, entry)
  const evidence = { file: entry, rule: 'python/usual-entry' }
  return {
    argv: ['python', entry],
    port: port === undefined ? 8000 : Number(port.value),
    why: `${entry} has a usual name for what is run.`,
    evidence,
  }
}

async function readPythonPort(files: Files, entry: string): Promise<Found<string> | undefined> {
  return searchFiles(files, sourcesAmong(await files.list(), /\.py$/, [entry]), portPatterns, 'python/port')
}

function moduleOf(path: string): string {
  return path
    .replace(/\.py$/, '')
    .replace(/\/__init__$/, '')
    .replaceAll('/', '.')
}
