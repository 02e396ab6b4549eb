import { spawn } from 'node:child_process'
import { access, chmod, chown, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { type Readable, type Stream, Writable } from 'node:stream'
import { KiwiError } from '@kiwi/core'
import type { View } from '../layers/index.js'
import { needTool } from '../tools/find.js'
import { toolPath } from '../tools/path.js'
import type { BuildOnlyMount, HostMount, OnOutput, SecretMount, StepCommand, StepExit, StepNetwork } from './command.js'
import { script } from './script.js'
import { makeStubs } from './stubs.js'

export interface NamespacedStep {
  /** An empty folder of this process, on the file system of the layer store. */
  readonly scratch: string
  /** Unpacked layers, lowest first, and what they show together. */
  readonly lowers: readonly string[]
  readonly view: View
  readonly command: StepCommand
  readonly mounts: readonly BuildOnlyMount[]
  readonly network: StepNetwork
  readonly onOutput: OnOutput
  readonly signal: AbortSignal
}

/**
 * Runs a command as root of its own mount, pid, ipc and uts namespaces on an overlay of the layers, with the host's network or none.
 * Resolves with the directory that holds exactly what it changed. Everything it started is dead by then, also after an abort.
 */
export async function runInNamespaces(step: NamespacedStep): Promise<StepExit & { readonly upper: string }> {
  const { scratch, view } = step
  const mounts = await withNetworkFiles(step)
  const targets = mounts.map((mount) => ({ mount, type: typeOf(mount), path: view.resolve(mount.target) }))
  await makeStubs(join(scratch, 'stubs'), view, [...kernelPlaces, ...targets])
  const options = await prepareOverlay(step)
  await writeFile(join(scratch, 'run.sh'), script)
  const places = targets.flatMap(({ mount, path }) => wordsOf(mount, path))
  const args = [join(scratch, 'run.sh'), scratch, options, step.network, ...places, '--', ...entry(step)]
  const exitCode = await start(args, step)
  return { exitCode, upper: join(scratch, 'upper') }
}

function typeOf(mount: BuildOnlyMount): HostMount['type'] {
  if (mount.kind === 'host') return mount.type
  return mount.kind === 'secret' ? 'file' : 'directory'
}

/** What the script is told: what to mount, where, and how. A secret's value goes another way. */
function wordsOf(mount: BuildOnlyMount, path: string): [what: string, where: string, how: string] {
  if (mount.kind === 'host') return [mount.source, path, mount.readOnly ? 'ro' : 'rw']
  if (mount.kind === 'secret') return [`${mount.mode.toString(8)} ${mount.uid}:${mount.gid}`, path, 'secret']
  return [mount.sizeBytes === undefined ? 'mode=1777' : `mode=1777,size=${mount.sizeBytes}`, path, 'tmpfs']
}

const kernelPlaces = ['proc', 'sys', 'dev'].map((path) => ({ path, type: 'directory' as const }))

/** Off is what a layer needs: with these on, the upper directory would hold references instead of files. */
const overlayFeatures = 'redirect_dir=off,metacopy=off,index=off'

/** Short names for the lower directories: mount options have to fit in one page. */
async function prepareOverlay({ scratch, lowers, view }: NamespacedStep): Promise<string> {
  const root = view.lookup('')?.entry
  for (const name of ['upper', 'work', 'merged', 'l', 'secrets']) await mkdir(join(scratch, name), { mode: 0o755 })
  await chown(join(scratch, 'upper'), root?.uid ?? 0, root?.gid ?? 0)
  await chmod(join(scratch, 'upper'), root?.mode ?? 0o755)
  const fromTop = [join(scratch, 'stubs'), ...[...lowers].reverse()]
  await Promise.all(fromTop.map((lower, index) => symlink(lower, join(scratch, 'l', String(index)))))
  const names = fromTop.map((_, index) => `l/${index}`).join(':')
  return `lowerdir=${names},upperdir=upper,workdir=work,${overlayFeatures}`
}

/** The step's own copies of the files by which names are looked up on the host's network. */
async function withNetworkFiles({ scratch, mounts }: NamespacedStep): Promise<BuildOnlyMount[]> {
  const files = join(scratch, 'etc')
  await mkdir(files, { mode: 0o755 })
  const hosts = await readFile('/etc/hosts', 'utf8').catch(() => '127.0.0.1 localhost\n::1 localhost\n')
  await writeFile(join(files, 'hosts'), `${hosts.trimEnd()}\n127.0.0.1 kiwi\n`, { mode: 0o644 })
  await writeFile(join(files, 'resolv.conf'), await readFile('/etc/resolv.conf').catch(() => ''), { mode: 0o644 })
  const names = ['hosts', 'resolv.conf'].map((name) => ({
    kind: 'host' as const,
    source: join(files, name),
    target: `/etc/${name}`,
    type: 'file' as const,
    readOnly: false,
  }))
  return [...names, ...mounts]
}

/** The program of the host that goes into the image: root directory, working directory, user and command in one exec. */
function entry({ command, view }: NamespacedStep): string[] {
  const { argv, directory, user } = command
  const { host, image } = splitEnv(command.env, view)
  const env = [needTool('env'), '-i', '--', ...host]
  if (user.groups.length > 0 && view.lookup(view.resolve('bin/sh')) !== undefined) {
    const names = [`--userspec=${user.uid}:${user.gid}`, `--groups=${user.groups.join(',')}`]
    return [
      ...env,
      needTool('chroot'),
      ...names,
      '.',
      '/bin/sh',
      '-c',
      'cd "$0" && exec "$@"',
      directory,
      ...image,
      ...argv,
    ]
  }
  const ids = user.uid === 0 && user.gid === 0 ? [] : [`--setuid=${user.uid}`, `--setgid=${user.gid}`]
  return [...env, needTool('unshare'), '--root=.', `--wd=${directory}`, ...ids, '--', ...image, ...argv]
}

/** Variables that the host's dynamic loader would act on are set by the image's own `env`, where it has one. */
function splitEnv(env: Readonly<Record<string, string>>, view: View): { host: string[]; image: string[] } {
  const all = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const forLoader = all.filter((pair) => pair.startsWith('LD_'))
  const tool = ['usr/bin/env', 'bin/env'].find((path) => view.lookup(view.resolve(path)) !== undefined)
  if (forLoader.length === 0 || tool === undefined) return { host: all, image: [] }
  return { host: all.filter((pair) => !pair.startsWith('LD_')), image: [`/${tool}`, ...forLoader] }
}

/** `setpriv` binds the life of `unshare` to ours, `unshare` that of the namespaces to its own. */
async function start(args: readonly string[], step: NamespacedStep): Promise<number> {
  const { scratch, mounts, network, onOutput, signal } = step
  signal.throwIfAborted()
  const own = ['-m', '-p', '-f', '-u', '-i', ...(network === 'none' ? ['-n'] : [])]
  const namespaces = [...own, '--kill-child=SIGKILL', '--propagation', 'private']
  const argv = ['--pdeathsig', 'KILL', '--', needTool('unshare'), ...namespaces, '--', needTool('sh'), ...args]
  const child = spawn(needTool('setpriv'), argv, {
    cwd: scratch,
    env: { PATH: toolPath, LC_ALL: 'C', LIBMOUNT_FORCE_MOUNT2: 'always' },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  handOver(mounts, child.stdio[3])
  const stop = () => child.kill('SIGKILL')
  signal.addEventListener('abort', stop, { once: true })
  const setupWords: Uint8Array[] = []
  const forward = async (stream: Readable, name: 'out' | 'err') => {
    for await (const chunk of stream) {
      if (name === 'err') setupWords.splice(0, Math.max(0, setupWords.length - 19), chunk)
      await onOutput(chunk, name)
    }
  }
  const closed = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, name) => resolve(code ?? 128 + (name === null ? 0 : constants.signals[name])))
  })
  try {
    const { stdout, stderr } = child
    if (stdout === null || stderr === null) throw new TypeError('both are pipes')
    const [exitCode] = await Promise.all([closed, forward(stdout, 'out'), forward(stderr, 'err')])
    signal.throwIfAborted()
    await access(join(scratch, 'started')).catch(() => {
      throw notIsolated(Buffer.concat(setupWords).toString())
    })
    return exitCode
  } catch (error) {
    stop()
    await closed.catch(() => undefined)
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Secrets in their order, each a line of base64: in no file of the host, and in no argument that others can see. */
function handOver(mounts: readonly BuildOnlyMount[], pipe: Stream | null | undefined): void {
  if (!(pipe instanceof Writable)) throw new TypeError('the fourth is a pipe')
  // Of a process that ended early its exit code tells.
  pipe.on('error', () => {})
  const secrets = mounts.filter((mount): mount is SecretMount => mount.kind === 'secret')
  pipe.end(secrets.map(({ value }) => `${Buffer.from(value).toString('base64')}\n`).join(''))
}

function notIsolated(words: string): KiwiError {
  const lastLines = words.trim().split('\n').slice(-10)
  return new KiwiError(
    'STATE_DIRECTORY_UNFIT',
    `the step could not be isolated: ${lastLines.at(-1) ?? 'no reason given'}`,
    {
      hint: 'Ask the builder’s probe what this machine lacks.',
      evidence: { lastLines },
    },
  )
}
