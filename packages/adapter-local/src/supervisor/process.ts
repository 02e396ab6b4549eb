import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { findTool, needTool } from '../tools/find.js'
import type { Launch } from './api.js'
import { openControlGroup } from './control-group.js'
import { instanceVariable, killLeftovers } from './leftovers.js'
import type { OutputStream } from './log-lines.js'
import { namespacedCommand } from './namespaces.js'
import { joinNetwork } from './network.js'

/** One run of an instance's command. */
export interface RunningProcess {
  /** Its address, where it has a network of its own. */
  readonly host?: string | undefined
  /** Resolves, never rejects, when the command and all it has started are gone. */
  readonly ended: Promise<Exit>
  /** Sends the signal to the command itself. */
  signal(name: NodeJS.Signals): Promise<void>
  /** Kills the command and all it has started. */
  kill(): Promise<void>
}

export interface Exit {
  readonly code?: number | undefined
  readonly signal?: string | undefined
  /** The kernel killed in its control group for want of memory. */
  readonly outOfMemory?: boolean | undefined
  /** Why it could not even be started. */
  readonly error?: string | undefined
}

export interface StartOptions {
  readonly launch: Launch
  /** Holds what the instance writes, where its root is mounted. */
  readonly directory: string
  /** Where the environment's things are; names it. */
  readonly environment: string
  readonly port: number
  output(bytes: Uint8Array, stream: OutputStream): void
}

/** Starts the command, within its limits; what it starts dies with this process, too. */
export async function startProcess(options: StartOptions): Promise<RunningProcess> {
  const group = await openControlGroup(options.launch.limits, options)
  if (group === undefined) return startWithin([], options)
  try {
    const running = await startWithin(group.prefix, options)
    const ended = running.ended.then(async (exit) => ({ ...exit, ...(await group.close()) }))
    return { ...running, ended }
  } catch (error) {
    await group.close()
    throw error
  }
}

/** Asks the command to end, and kills everything after the grace. Resolves when all is gone. */
export async function endProcess(running: RunningProcess, stopSignal: string, graceMs: number): Promise<void> {
  await running.signal(stopSignal as NodeJS.Signals) // checked where the image was read
  const timer = setTimeout(() => void running.kill(), graceMs)
  await running.ended
  clearTimeout(timer)
}

/** `prefix`: what the command line is to begin with. */
async function startWithin(prefix: readonly string[], options: StartOptions): Promise<RunningProcess> {
  const { launch } = options
  const env = { ...launch.env, PORT: String(options.port) }
  if (launch.root.form === 'directory') return startPlain(prefix, launch.root.path, env, options)
  const { directory } = options
  const { layers } = launch.root
  const command = await namespacedCommand(launch, [...layers, launch.root.stubs], directory, env)
  const where = { env: command.env, cwd: directory }
  if (launch.network.kind === 'own')
    return startInOwnNetwork([...prefix, ...unshareNetwork(), ...command.argv], where, options)
  return follow(start([...prefix, ...command.argv], where, options), inNamespaces)
}

/** The command waits in its network namespace until that is joined with this machine. */
async function startInOwnNetwork(
  argv: readonly string[],
  where: Where,
  options: StartOptions,
): Promise<RunningProcess> {
  const child = start(argv, where, options)
  const running = follow(child, inNamespaces)
  const gate = child.stdio[3] as Duplex // 'pipe' below
  try {
    const opened = await Promise.race([once(gate, 'data'), running.ended])
    if (!Array.isArray(opened) || child.pid === undefined) return running
    const network = await joinNetwork(child.pid, options.environment)
    gate.end('go\n')
    const ended = running.ended.finally(() => network[Symbol.asyncDispose]())
    return { ...running, ended, host: network.host }
  } catch (error) {
    child.kill('SIGKILL')
    await running.ended
    throw error
  }
}

function unshareNetwork(): readonly string[] {
  const wait = 'echo >&3; read -r _ <&3; exec 3>&-; exec "$@"'
  return [
    needTool('setpriv'),
    '--pdeathsig',
    'KILL',
    '--',
    needTool('unshare'),
    '--net',
    needTool('sh'),
    '-c',
    wait,
    'sh',
  ]
}

function startPlain(
  prefix: readonly string[],
  root: string,
  env: Readonly<Record<string, string>>,
  options: StartOptions,
): RunningProcess {
  const { launch } = options
  const { PATH = '', HOME = '/', TMPDIR } = process.env
  const inherited = { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }) }
  const setpriv = findTool('setpriv')
  const bound = setpriv === undefined ? launch.argv : [setpriv, '--pdeathsig', 'KILL', '--', ...launch.argv]
  const argv = [...prefix, ...bound]
  const cwd = join(root, launch.workingDirectory)
  return follow(
    start(argv, { env: { ...inherited, ...env, [instanceVariable]: options.directory }, cwd }, options),
    inGroup(options.directory),
  )
}

interface Where {
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
}

function start(argv: readonly string[], where: Where, options: StartOptions): ChildProcess {
  const [command = '', ...rest] = argv
  const gate = options.launch.network.kind === 'own' ? (['pipe'] as const) : []
  const child = spawn(command, rest, { ...where, detached: true, stdio: ['ignore', 'pipe', 'pipe', ...gate] })
  child.stdout?.on('data', (bytes: Uint8Array) => options.output(bytes, 'out'))
  child.stderr?.on('data', (bytes: Uint8Array) => options.output(bytes, 'err'))
  return child
}

/** Where signals of an instance go; both ids are as this process sees them. */
interface Addresses {
  command(pid: number): Promise<number | undefined>
  /** A negative number is a process group. */
  everything(pid: number): Promise<number | undefined>
  /** Called when the child has ended, for what it may have left. */
  cleanUp(pid: number): void
}

const inGroup = (directory: string): Addresses => ({
  command: async (pid) => pid,
  everything: async (pid) => -pid,
  cleanUp(pid) {
    send(-pid, 'SIGKILL') // helpers may live on, and hold the output open
    void killLeftovers(directory)
  },
})

/** The child waits for the first process of a pid namespace, and that one for the command. When the first one ends, all of it does. */
const inNamespaces: Addresses = {
  async command(pid) {
    const first = await firstChild(pid)
    return first === undefined ? undefined : firstChild(first)
  },
  everything: async (pid) => (await firstChild(pid)) ?? pid,
  cleanUp: () => {},
}

function follow(child: ChildProcess, addresses: Addresses): RunningProcess {
  const { promise: ended, resolve } = Promise.withResolvers<Exit>()
  let over = false
  const end = (exit: Exit) => {
    over = true
    resolve(exit)
  }
  child.on('error', (error) => end({ error: error.message }))
  child.on('close', (code, signal) => end(toExit(code, signal)))
  child.on('exit', () => child.pid !== undefined && addresses.cleanUp(child.pid))
  const sendTo = async (to: Addresses['command'], name: NodeJS.Signals) => {
    if (over || child.pid === undefined) return
    const pid = await to(child.pid)
    if (pid !== undefined && !over) send(pid, name)
  }
  return {
    ended,
    signal: (name) => sendTo(addresses.command, name),
    kill: () => sendTo(addresses.everything, 'SIGKILL'),
  }
}

/** A shell in between turns a signal into 128 plus its number (POSIX, 2.8.2). */
function toExit(code: number | null, signal: string | null): Exit {
  if (signal !== null) return { signal }
  if (code === null) return {}
  const name = code > 128 ? signalNames.get(code - 128) : undefined
  return name === undefined ? { code } : { code, signal: name }
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]))

async function firstChild(pid: number): Promise<number | undefined> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const first = Number.parseInt(children, 10)
  return Number.isNaN(first) ? undefined : first
}

function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It is gone already: that is what was wanted.
  }
}
