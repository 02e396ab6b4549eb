import { mkdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { script } from '../isolation/script.js'
import { needTool } from '../tools/find.js'
import { toolPath } from '../tools/path.js'
import type { Launch } from './api.js'

export interface NamespacedCommand {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/**
 * The command line that runs `launch` as a step of a build runs: in namespaces of its own, its root an overlay of `layers` and of what
 * it writes below `directory`, with the host's network. The first process inside waits for the command; everything ends with it, with
 * `unshare`, and with whoever starts this. Throws `TOOL_MISSING`.
 */
export async function namespacedCommand(
  launch: Launch,
  layers: readonly string[],
  directory: string,
  env: Readonly<Record<string, string>>,
): Promise<NamespacedCommand> {
  const options = `lowerdir=${await prepare(layers, directory)},upperdir=upper,workdir=work,${overlayFeatures}`
  const binds = launch.mounts.flatMap(({ source, target, readOnly }) => [source, target, readOnly ? 'ro' : 'rw'])
  return {
    argv: [
      ...[needTool('setpriv'), '--pdeathsig', 'KILL', '--', needTool('unshare'), ...namespaces, '--'],
      ...[needTool('sh'), '-c', script, 'sh', directory, options, 'host', ...binds, '--', ...entry(launch, env)],
    ],
    env: { ...withoutLoader(env), ...toolEnv },
  }
}

const overlayFeatures = 'redirect_dir=off,metacopy=off,index=off'
const namespaces = ['-m', '-p', '-f', '-u', '-i', '--kill-child=SIGKILL', '--propagation', 'private']
const toolEnv = { PATH: toolPath, LIBMOUNT_FORCE_MOUNT2: 'always' }
const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Short names for the layers, as mount options have to fit in one page. What the instance wrote before stays. */
async function prepare(layers: readonly string[], directory: string): Promise<string> {
  await rm(join(directory, 'l'), { recursive: true, force: true })
  await rm(join(directory, 'started'), { force: true })
  for (const name of ['upper', 'work', 'merged', 'l']) await mkdir(join(directory, name), { recursive: true })
  const fromTop = [...layers].reverse()
  await Promise.all(fromTop.map((layer, index) => symlink(layer, join(directory, 'l', String(index)))))
  return fromTop.map((_, index) => `l/${index}`).join(':')
}

/**
 * Enters the image. The environment is inherited, since arguments can be read by everyone on the machine; only what the tools before it
 * must not see (PATH and what the loader acts on) is set here.
 */
function entry({ argv, workingDirectory, user }: Launch, env: Readonly<Record<string, string>>): readonly string[] {
  const forLoader = Object.entries(env).filter(([name]) => isForLoader(name))
  const set = [['PATH', env.PATH ?? usualPath], ...forLoader].map(([name, value]) => `${name}=${value}`)
  const ids = [`--setgid=${user.gid}`, `--setuid=${user.uid}`]
  return [
    ...[needTool('env'), '-u', 'LIBMOUNT_FORCE_MOUNT2', '--', ...set],
    ...[needTool('unshare'), '--root=.', `--wd=${workingDirectory}`, ...ids, '--', ...argv],
  ]
}

function withoutLoader(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isForLoader(name)))
}

function isForLoader(name: string): boolean {
  return name.startsWith('LD_')
}
