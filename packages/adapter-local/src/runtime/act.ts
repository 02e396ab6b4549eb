import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Action,
  type Context,
  type EnsureSlot,
  isSecretReference,
  type Json,
  KiwiError,
  type RunOnce,
  type SecretReference,
} from '@kiwi/core'
import type { ActAnswer, ActRequest, OrderedAction, OrderedSlot, OrderedTask } from '../supervisor/api.js'
import { ask } from './connect.js'
import { planLaunch } from './launch.js'
import { fileName } from './place.js'
import type { Setting } from './setting.js'

/** Hands an action to the supervisor: the image is unpacked here, and secrets are resolved for the length of the call. */
export async function act(setting: Setting, action: Action, context: Context): Promise<void> {
  const send = (ordered: OrderedAction) => {
    const body: ActRequest = { token: context.operation.fence.token, action: ordered }
    const { directory, supervisorPath } = setting
    return ask<ActAnswer>(directory, supervisorPath, { method: 'POST', path: '/act', body, signal: context.signal })
  }
  if (action.type !== 'ensure-slot' && action.type !== 'run-once') return void (await send(action))
  const name = action.type === 'ensure-slot' ? fileName('slot', action.slot) : fileName('task', action.task)
  const order = action.type === 'ensure-slot' ? orderedSlot(action) : orderedTask(action)
  if ((await send(order)).launch !== 'wanted') return
  await makingFiles(setting.directory, name, async (made) => {
    const plan = await planLaunch({ ...setting, made }, action, context.signal)
    const withEnv = (env: Readonly<Record<string, string>>) =>
      send({ ...order, launch: { ...plan, env: { ...plan.env, ...env } } })
    return (await withSecrets(action.spec.env, context, withEnv)).launch === 'kept'
  })
}

/** Gives `use` a directory of its own, which goes unless it says that it is needed, or nobody knows. */
async function makingFiles(directory: string, name: string, use: (made: string) => Promise<boolean>): Promise<void> {
  await mkdir(join(directory, 'made'), { recursive: true })
  const made = await mkdtemp(join(directory, 'made', `${name}-`))
  let needed = false
  try {
    needed = await use(made)
  } catch (error) {
    needed = KiwiError.is(error) && error.effect === 'unknown'
    throw error
  } finally {
    if (!needed) await rm(made, { recursive: true, force: true })
  }
}

function orderedSlot(action: EnsureSlot): OrderedSlot {
  const { type, revision, slot, release, replicas, image, spec } = action
  const { health, stopGraceMs } = spec
  const fingerprint = fingerprintOf({ digest: image.digest, spec: JSON.parse(JSON.stringify(spec)) })
  return { type, revision, slot, release, replicas, health, stopGraceMs, digest: image.digest, fingerprint }
}

function orderedTask({ type, revision, task, slot, spec: { stopGraceMs } }: RunOnce): OrderedTask {
  return { type, revision, task, slot: fileName('slot', slot), stopGraceMs }
}

/** Calls `use` while all values are known; they live no longer than that on this side. */
async function withSecrets<T>(
  env: Readonly<Record<string, string | SecretReference>>,
  context: Context,
  use: (env: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  const values: Record<string, string> = {}
  const entries = Object.entries(env)
  const resolve = async (index: number): Promise<T> => {
    const [name, value] = entries[index] ?? []
    if (name === undefined || value === undefined) return use(values)
    const keep = (plain: string) => {
      values[name] = plain
      return resolve(index + 1)
    }
    return isSecretReference(value) ? context.secret(value, keep) : keep(value)
  }
  return resolve(0)
}

/** The same for equal values, whatever the order of their keys. */
function fingerprintOf(value: Json): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)))
    .digest('hex')
    .slice(0, 32)
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, item]) => [key, item === undefined ? null : sorted(item)] as const)
  return Object.fromEntries(entries.sort(([one], [other]) => (one < other ? -1 : 1)))
}
