import { mkdir, readFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { arch } from 'node:process'
import {
  type EnsureSlot,
  KiwiError,
  mediaTypes,
  type Platform,
  type Resources,
  type RunOnce,
  type Volume,
} from '@kiwi/core'
import { mergedView, type ReadImage, type RunConfig, readImage, type View } from '../layers/index.js'
import type { Launch, Limits, Mount } from '../supervisor/api.js'
import { overlayLaunch } from './overlay.js'
import { fileName } from './place.js'
import { plainLaunch } from './plain.js'
import type { Setting } from './setting.js'
import { findUser } from './user.js'

/**
 * Unpacks the image and says how one instance of it is started, without what the specification's environment adds.
 * Files that are made for it lie in `made`. Rejects with `MANIFEST_UNKNOWN` when the image was not brought here before.
 */
export async function planLaunch(
  setting: Setting & { readonly made: string },
  action: EnsureSlot | RunOnce,
  signal: AbortSignal,
): Promise<Launch> {
  const image = await readPinned(setting, action.image.digest, signal)
  const config = image.config.config ?? {}
  const view = mergedView(await Promise.all(image.layers.map((layer) => setting.layers.index(layer, signal))))
  const user = findUser(config.User ?? '', view)
  const shared = {
    argv: commandOf(config, action),
    env: { ...environmentOf(config), HOME: homeOf(config, user.home) },
    workingDirectory: `/${view.resolve(config.WorkingDir ?? '/')}`,
    user: { uid: user.uid, gid: user.gid },
    stopSignal: signalName(config.StopSignal),
    network: { kind: setting.network, port: action.spec.port },
    mounts: await Promise.all(action.spec.volumes.map((volume) => mountOf(setting, volume, view))),
    limits: limitsOf(setting, action.spec.resources),
  }
  if (setting.isolation === 'none') return plainLaunch(setting, image, shared, signal)
  return overlayLaunch(setting, { image, view }, shared, signal)
}

async function readPinned({ images }: Setting, digest: string, signal: AbortSignal): Promise<ReadImage> {
  const bytes = await readFile(images.path(digest)).catch((cause: unknown) => {
    throw new KiwiError('MANIFEST_UNKNOWN', `the image ${digest} is not on this machine`, {
      hint: 'Build it again, or bring it here with the runtime’s sink first.',
      cause,
    })
  })
  const { mediaType, manifests } = JSON.parse(bytes.toString())
  const fallback = manifests === undefined ? mediaTypes.manifest : mediaTypes.index
  const root = { mediaType: mediaType ?? fallback, digest, size: bytes.byteLength }
  return readImage(images.source(root), thisPlatform, signal)
}

const thisPlatform: Platform = { os: 'linux', architecture: arch === 'x64' ? 'amd64' : arch }

/** An entrypoint of ours sets the image's command aside as well (as `docker run --entrypoint` does). A task's command stands where the slot's would. */
function commandOf(config: RunConfig, action: EnsureSlot | RunOnce): readonly string[] {
  const { spec, image } = action
  const entrypoint = spec.entrypoint ?? config.Entrypoint ?? []
  const given = action.type === 'run-once' ? action.command : spec.command
  const command = given ?? (spec.entrypoint === undefined ? config.Cmd : undefined) ?? []
  const argv = [...entrypoint, ...command]
  if (argv.length > 0) return argv
  throw new KiwiError('RUNTIME_FAILED', `the image ${image.name} has no command`, {
    hint: 'Give its Dockerfile a CMD or ENTRYPOINT, or the environment a command.',
    retryable: false,
  })
}

function environmentOf({ Env = [] }: RunConfig): Record<string, string> {
  return Object.fromEntries(Env.map((entry) => [entry.split('=', 1)[0] ?? '', entry.slice(entry.indexOf('=') + 1)]))
}

function homeOf(config: RunConfig, home: string): string {
  return environmentOf(config).HOME ?? home
}

/** Names with or without SIG, or numbers; what this system does not know becomes SIGTERM. */
function signalName(wanted: string | undefined): NodeJS.Signals {
  const name = `SIG${(wanted ?? 'TERM').toUpperCase().replace(/^SIG/, '')}`
  const found = Object.entries(constants.signals).find(([known, number]) => known === name || String(number) === wanted)
  return (found?.[0] ?? 'SIGTERM') as NodeJS.Signals // a key of the table of signals
}

function limitsOf({ limits }: Setting, { limits: wanted }: Resources): Limits | undefined {
  return 'group' in limits ? { group: limits.group, ...wanted } : undefined
}

/** A name stands for a directory that belongs to the environment and outlives its releases. */
async function mountOf({ directory }: Setting, { source, path, readOnly }: Volume, view: View): Promise<Mount> {
  const host = isAbsolute(source) ? source : join(directory, 'volumes', fileName('volume', source))
  await mkdir(host, { recursive: true }).catch(ignoreFile)
  return { source: host, target: view.resolve(path), readOnly }
}

function ignoreFile(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
