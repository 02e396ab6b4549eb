import { posix } from 'node:path'
import { KiwiError } from '@kiwi/core'
import { expand, type PlannedStage, type RunInstruction, type RunMount } from '@kiwi/wizard/dockerfile'
import type { BuildOnlyMount } from '../isolation/index.js'
import type { View } from '../layers/index.js'
import { bindMount } from './bind-mount.js'
import { cacheMount } from './cache-mount.js'
import type { Where } from './copy-sources.js'
import { type Draft, variablesOf, workingDirectory } from './draft.js'
import { secretMount } from './secret-mount.js'
import type { Session } from './session.js'

/** A mount that a RUN asks for, read and checked, but not in place yet. */
export interface PreparedMount {
  /** What of it the step's result depends on. */
  readonly key: string
  /** Digest by path of what it shows of the build context. */
  readonly files?: Readonly<Record<string, string>> | undefined
  /** Puts it in place for the length of `use`; `folder` is empty and its own. */
  hold<T>(folder: string, use: (mounts: readonly BuildOnlyMount[]) => Promise<T>): Promise<T>
}

/** What the mounts of one RUN share. */
export interface MountSurroundings {
  readonly session: Session
  readonly stage: PlannedStage
  readonly where: Where
}

/**
 * Reads the `--mount`s of a RUN: expanded, with absolute targets, none inside another. What is mounted is in no layer.
 * Rejects with `CONTEXT_INVALID` for a target or a source that cannot be, and `SECRET_MISSING`.
 */
export async function prepareMounts(
  session: Session,
  draft: Draft,
  { instruction, stage }: { readonly instruction: RunInstruction; readonly stage: PlannedStage },
): Promise<PreparedMount[]> {
  const where = { line: instruction.line, instruction: instruction.text }
  const specs = instruction.mounts.map((mount) => expandedMount(session, draft, mount, where))
  refuseNested(specs, where)
  return Promise.all(specs.map((spec) => prepare(spec, { session, stage, where })))
}

/** Holds all of them, one inside the other, and then uses them. */
export function holdAll<T>(
  mounts: readonly PreparedMount[],
  folder: (index: number) => Promise<string>,
  use: (mounts: readonly BuildOnlyMount[]) => Promise<T>,
): Promise<T> {
  const next = async (index: number, held: readonly BuildOnlyMount[]): Promise<T> => {
    const mount = mounts[index]
    if (mount === undefined) return use(held)
    return mount.hold(await folder(index), (more) => next(index + 1, [...held, ...more]))
  }
  return next(0, [])
}

/** A mount has to find in the image what it is, or nothing. Rejects with `CONTEXT_INVALID`. */
export function checkPlaces(mounts: readonly BuildOnlyMount[], view: View, where: Where): void {
  for (const mount of mounts) {
    const found = view.lookup(view.resolve(mount.target))?.entry.type
    const isDirectory = mount.kind === 'temporary' || (mount.kind === 'host' && mount.type === 'directory')
    if (found === undefined || (found === 'directory') === isDirectory) continue
    throw unfit(`there is a ${found} at ${mount.target} in the image`, where)
  }
}

function prepare(spec: MountSpec, surroundings: MountSurroundings): Promise<PreparedMount> | PreparedMount {
  if (spec.type === 'tmpfs') return temporaryMount(spec, surroundings)
  if (spec.type === 'cache') return cacheMount(spec, surroundings)
  return spec.type === 'secret' ? secretMount(spec, surroundings) : bindMount(spec, surroundings)
}

/** A `--mount` with its variables expanded. */
export interface MountSpec extends Readonly<Record<string, string>> {
  readonly type: string
  /** Absolute and clean. */
  readonly target: string
}

function expandedMount({ dockerfile }: Session, draft: Draft, mount: RunMount, where: Where): MountSpec {
  const variables = variablesOf(draft)
  const options = { escape: dockerfile.escape, line: where.line }
  const expanded = Object.fromEntries(
    Object.entries(mount).map(([name, value]) => [name, expand(value, variables, options)]),
  )
  const { type } = mount
  const told = expanded.target ?? (type === 'secret' ? `/run/secrets/${idOf(expanded, where)}` : undefined)
  if (told === undefined || told === '') throw unfit(`--mount=type=${type} has no target`, where)
  const target = posix.resolve(workingDirectory(draft.config), told)
  if (/^\/(?:(?:proc|sys|dev|run\/kiwi)(?:\/|$)|$)/.test(target))
    throw unfit(`nothing can be mounted at ${target}`, where)
  return { ...expanded, type, target }
}

function idOf({ id, source }: Readonly<Record<string, string>>, where: Where): string {
  const own = id ?? (source === undefined ? undefined : posix.basename(source))
  if (own === undefined || own === '') throw unfit('--mount=type=secret needs an id or a target', where)
  return own
}

/** What lies in one mount could lead the next one out of the image. */
function refuseNested(specs: readonly MountSpec[], where: Where): void {
  for (const [index, { target }] of specs.entries()) {
    const inside = specs.find((other, at) => at !== index && `${target}/`.startsWith(`${other.target}/`))
    if (inside !== undefined) throw unfit(`the mount ${target} lies in the mount ${inside.target}`, where)
  }
}

const units: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }

function temporaryMount({ target, size }: MountSpec, { where }: MountSurroundings): PreparedMount {
  const [, digits, unit = ''] = /^(\d{1,12})([bkmg]?)b?$/i.exec(size ?? '0') ?? []
  if (digits === undefined) throw unfit(`${size} is no size`, where)
  const sizeBytes = size === undefined ? undefined : Number(digits) * (units[unit.toLowerCase()] ?? 1)
  const mount: BuildOnlyMount = { kind: 'temporary', target, sizeBytes }
  return { key: JSON.stringify(['tmpfs', target, sizeBytes]), hold: (_, use) => use([mount]) }
}

export function unfit(why: string, { line, instruction }: Where): KiwiError {
  return new KiwiError('CONTEXT_INVALID', `line ${line}: ${why}`, {
    hint: 'Give each mount of a RUN a place of its own, of the right kind, outside of /proc, /sys and /dev.',
    evidence: { line, instruction },
  })
}
