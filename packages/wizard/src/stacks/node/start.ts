import { lex } from '../../dockerfile/lexer.js'
import type { Files } from '../../files.js'
import { describe } from '../../search.js'
import type { Evidence } from '../../stack.js'
import type { PackageJson } from './package-json.js'

export interface StartFacts {
  readonly argv: readonly string[]
  /** Variables set in front of the command. */
  readonly environment: Readonly<Record<string, string>>
  /** The file that Node.js runs, when the command says. */
  readonly entry?: string | undefined
  /** The command comes from a development dependency, so those must stay. */
  readonly needsDevDependencies: boolean
  readonly why: string
  readonly evidence: Evidence
}

const sourceFile = /\.[cm]?[jt]s$/
const usualEntries = [
  'server.js',
  'index.js',
  'app.js',
  'main.js',
  'server.mjs',
  'index.mjs',
  'src/index.js',
  'src/server.js',
]

/** How the application starts: the start script as a program with arguments, else `main`, else a file with a usual name. */
export async function readStart(files: Files, packageJson: PackageJson): Promise<StartFacts | undefined> {
  const script = packageJson.scripts.start
  if (script !== undefined) return fromScript(packageJson, script)
  const present = await files.list()
  const main = packageJson.main?.replace(/^\.\//, '')
  const entry =
    main !== undefined && present.includes(main) ? main : usualEntries.find((file) => present.includes(file))
  if (entry === undefined) return undefined
  const byMain = entry === main
  return {
    argv: ['node', entry],
    environment: {},
    entry,
    needsDevDependencies: false,
    why: byMain
      ? 'There is no start script; main names this file.'
      : 'There is no start script; this file has a usual name.',
    evidence: byMain ? packageJson.at(/"main"\s*:/, 'node/main') : { file: entry, rule: 'node/usual-entry' },
  }
}

function fromScript(packageJson: PackageJson, script: string): StartFacts {
  const evidence = packageJson.at(/"start"\s*:/, 'node/start-script')
  const place = describe(evidence)
  const words = resolve(packageJson, script, 'start', 0)
  if (words === undefined) {
    const why = `The start script (${place}) needs a shell or npm's own hooks, so npm runs it.`
    return { argv: ['npm', 'start'], environment: {}, needsDevDependencies: false, why, evidence }
  }
  const { environment, command } = splitEnvironment(words)
  const ran = nodeArguments(command)
  const [program = '', ...rest] = command
  return {
    argv: ran === undefined ? [binary(packageJson, program), ...rest] : ['node', ...ran],
    environment,
    entry: ran?.find((word) => sourceFile.test(word))?.replace(/^\.\//, ''),
    needsDevDependencies: ran === undefined && onlyInDevelopment(packageJson, program),
    why: `What the start script runs (${place}), started directly so that it gets the stop signal.`,
    evidence,
  }
}

/**
 * What Node.js is given, if the command is Node.js. Watching is for developers, and the file of `--env-file` holds
 * secrets and is not copied. Of nodemon only the file to run and its arguments remain.
 */
function nodeArguments([program, ...words]: readonly string[]): string[] | undefined {
  if (program === 'node') return words.filter((word) => !/^--(watch|env-file)/.test(word))
  const file = program === 'nodemon' ? words.findIndex((word) => sourceFile.test(word)) : -1
  return file === -1 ? undefined : words.slice(file)
}

/** The words of a script; undefined when only a shell or npm can run it. Follows `npm run other`. */
function resolve(packageJson: PackageJson, script: string, name: string, depth: number): string[] | undefined {
  const hooked = packageJson.scripts[`pre${name}`] ?? packageJson.scripts[`post${name}`]
  if (hooked !== undefined || /[|&;<>()$`*?{}~\n\\]/.test(script)) return undefined
  const words = split(script)
  const next = /^(?:npm|pnpm|yarn) run (\S+)$/.exec(words?.join(' ') ?? '')?.[1]
  if (next === undefined) return words?.length === 0 ? undefined : words
  const body = packageJson.scripts[next]
  return body === undefined || depth > 5 ? undefined : resolve(packageJson, body, next, depth + 1)
}

function split(script: string): string[] | undefined {
  try {
    return lex(script, () => undefined, { escape: '\\' }).words
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function splitEnvironment(words: readonly string[]): {
  environment: Record<string, string>
  command: readonly string[]
} {
  const environment: Record<string, string> = {}
  const rest = words[0] === 'cross-env' ? words.slice(1) : [...words]
  for (let word = rest[0]; word !== undefined; word = rest[0]) {
    const match = /^([A-Za-z_]\w*)=(.*)$/s.exec(word)
    if (match === null) break
    environment[match[1] ?? ''] = match[2] ?? ''
    rest.shift()
  }
  return { environment, command: rest }
}

/** A program from a package is found where packages put theirs; npm would have put that on the PATH. */
function binary({ dependencies, devDependencies }: PackageJson, program: string): string {
  const system = ['npm', 'npx', 'pnpm', 'yarn', 'sh', 'bash'].includes(program) || program.includes('/')
  const packages = Object.keys({ ...dependencies, ...devDependencies }).length
  return system || packages === 0 ? program : `node_modules/.bin/${program}`
}

function onlyInDevelopment({ dependencies, devDependencies }: PackageJson, program: string): boolean {
  return dependencies[program] === undefined && devDependencies[program] !== undefined
}
