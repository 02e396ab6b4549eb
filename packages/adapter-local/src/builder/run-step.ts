import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { explainStepFailure, KiwiError } from '@kiwi/core'
import { type PlannedStage, type RunInstruction, runCommand } from '@kiwi/wizard/dockerfile'
import {
  type BuildOnlyMount,
  type FoundIsolation,
  type OnOutput,
  runInNamespaces,
  runPlain,
  type StepCommand,
} from '../isolation/index.js'
import { makeScratch, readUpper, type UpperDiff, type View, type WrittenLayer } from '../layers/index.js'
import { cacheFolder, makeOwn } from './cache-mount.js'
import { cachedStep, makeLayer } from './cached-step.js'
import { type Draft, defaultPath, envOf, shellOf, workingDirectory } from './draft.js'
import { settingsMount, writeHostSettings } from './host-settings.js'
import { keyOf } from './key.js'
import { lastLines } from './last-lines.js'
import { checkPlaces, holdAll, type PreparedMount, prepareMounts } from './run-mounts.js'
import { belowOf, type Session, viewOf } from './session.js'
import type { StepNote } from './steps.js'
import { findUser } from './users.js'

interface RunStep {
  readonly id: string
  readonly instruction: RunInstruction
  readonly stage: PlannedStage
}

/** RUN. The key is the files below, the command, and all that it sees of configuration and arguments. */
export async function runStep(session: Session, draft: Draft, step: RunStep): Promise<StepNote> {
  const { instruction } = step
  const mounts = await prepareMounts(session, draft, step)
  const below = belowOf(draft.layers)
  const { config, args } = draft
  const command = runCommand(instruction)
  const settings = JSON.stringify([config.Env, [...args], config.User, workingDirectory(config), shellOf(config)])
  const said = JSON.stringify(command)
  const flags = JSON.stringify([instruction.mounts, instruction.network ?? 'default'])
  const files = Object.assign({}, ...mounts.map((mount) => mount.files ?? {}))
  return cachedStep(session, draft, {
    id: step.id,
    key: keyOf('run', platformOf(session), below, said, settings, flags, ...mounts.map(({ key }) => key)),
    origin: { below, instruction: `RUN ${said} ${flags}`, values: valuesOf(draft), files },
    make: () => run(session, draft, { ...step, mounts }),
  })
}

/** What the command sees of the draft, for the reasons of a miss. */
function valuesOf({ config, args }: Draft): Record<string, string> {
  const rows: (readonly [string, string])[] = [
    ...[...args].map(([name, value]) => [`ARG ${name}`, value] as const),
    ...[...envOf(config)].map(([name, value]) => [`ENV ${name}`, value] as const),
    ['USER', config.User ?? ''],
    ['WORKDIR', workingDirectory(config)],
    ['SHELL', JSON.stringify(shellOf(config))],
  ]
  return Object.fromEntries(rows.map(([name, value]) => [name, keyOf(value).slice(0, 16)]))
}

async function run(session: Session, draft: Draft, step: PreparedRun): Promise<WrittenLayer | undefined> {
  const { workshop, context } = session
  const isolation = await isolationFor(session, step)
  await using scratch = await makeScratch(workshop.directory)
  const view = await viewOf(draft, session)
  const output = lastLines((bytes, stream) => context.output(bytes, { step: step.id, stream }))
  const surroundings: Surroundings = { session, draft, step, view, scratch: scratch.directory, onOutput: output.write }
  const { exitCode, diff, upper } = await (isolation.kind === 'namespaces'
    ? isolated(surroundings)
    : plain(surroundings))
  if (exitCode !== 0) throw failed(step, exitCode, output.lines())
  if (diff.empty) return undefined
  const written = await makeLayer(session, diff.parts)
  if (upper !== undefined && (await diff.settle())) await workshop.layers.adopt(written.diffId, upper)
  return written
}

interface PreparedRun extends RunStep {
  readonly mounts: readonly PreparedMount[]
}

interface Surroundings {
  readonly session: Session
  readonly draft: Draft
  readonly step: PreparedRun
  readonly view: View
  readonly scratch: string
  readonly onOutput: OnOutput
}

interface Ended {
  readonly exitCode: number
  readonly diff: UpperDiff
  readonly upper?: string | undefined
}

async function isolated(surroundings: Surroundings): Promise<Ended> {
  const { session, draft, step, view, scratch, onOutput } = surroundings
  const { signal } = session.context
  const lowers = await Promise.all(draft.layers.map((layer) => session.workshop.layers.ensure(layer, signal)))
  const { command, mounts: own } = await prepare(surroundings, { mountedAt: settingsMount })
  const network = step.instruction.network === 'none' ? 'none' : 'host'
  const folder = async (index: number) => {
    const path = join(scratch, `mount-${index}`)
    await mkdir(path)
    return path
  }
  const { exitCode, upper } = await holdAll(step.mounts, folder, (asked) => {
    checkPlaces(asked, view, { line: step.instruction.line, instruction: step.instruction.text })
    const mounts = [...own, ...asked]
    return runInNamespaces({ scratch, lowers, view, command, mounts, network, onOutput, signal })
  })
  const latestSeconds = session.request.createdAtSeconds
  return { exitCode, upper, diff: await readUpper(upper, { below: view, latestSeconds, signal }) }
}

async function plain(surroundings: Surroundings): Promise<Ended> {
  const { session, draft, step, view, scratch, onOutput } = surroundings
  refuseFlags(step)
  const { command } = await prepare(surroundings, { mountedAt: undefined })
  const { layers } = draft
  const store = session.workshop.layers
  const latestSeconds = session.request.createdAtSeconds
  return runPlain({ scratch, layers, store, view, command, latestSeconds, onOutput, signal: session.context.signal })
}

/** Without namespaces nothing can be mounted, and no network kept away. */
function refuseFlags({ instruction: { line, text, mounts, network } }: RunStep): void {
  if (mounts.length === 0 && network !== 'none') return
  const what = mounts.length > 0 ? 'RUN --mount' : 'RUN --network=none'
  throw new KiwiError(
    'BUILDER_UNFIT',
    `line ${line}: ${what} needs namespaces, and this builder runs plain processes`,
    {
      hint: 'Build on Linux as root, or with another builder.',
      evidence: { line, instruction: text },
    },
  )
}

/** Command, environment and build-only files. Where nothing can be mounted the step is told where the files lie. */
async function prepare(
  { session, draft, step, view, scratch }: Surroundings,
  { mountedAt }: { readonly mountedAt: string | undefined },
): Promise<{ command: StepCommand; mounts: BuildOnlyMount[] }> {
  const files = join(scratch, 'kiwi')
  const at = mountedAt ?? files
  await mkdir(files, { mode: 0o755 })
  const user = findUser(draft.config.User ?? '', view)
  const argv = await argvFor(step, draft, files, at)
  const settings = await writeHostSettings(files, at)
  const npmCache = join(cacheFolder(session, 'npm'), String(user.uid))
  await makeOwn(npmCache, { mode: 0o755, ...user })
  await mkdir(join(files, 'npm-cache'))
  for (const name of await readdir(files)) if (name !== 'npm-cache') await chmod(join(files, name), 0o755)
  const own = { ...Object.fromEntries(draft.args), ...Object.fromEntries(envOf(draft.config)) }
  const env = {
    PATH: defaultPath,
    HOME: user.home,
    SOURCE_DATE_EPOCH: String(session.request.createdAtSeconds),
    npm_config_cache: mountedAt === undefined ? npmCache : join(at, 'npm-cache'),
    ...settings.env,
    ...givenProxies(session.request.args),
    ...own,
  }
  const mounts: BuildOnlyMount[] = [
    { kind: 'host', source: files, target: settingsMount, type: 'directory', readOnly: true },
    { kind: 'host', source: npmCache, target: `${settingsMount}/npm-cache`, type: 'directory', readOnly: false },
  ]
  return { command: { argv, env, directory: workingDirectory(draft.config), user }, mounts }
}

async function argvFor({ instruction }: RunStep, draft: Draft, files: string, at: string): Promise<readonly string[]> {
  const command = runCommand(instruction)
  if (command.form === 'exec') return command.argv
  if (command.form === 'shell') return [...shellOf(draft.config), command.command]
  await writeFile(join(files, 'script'), command.content)
  return [join(at, 'script')]
}

const proxies = ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy', 'all_proxy']

/** Proxies given as arguments need no ARG, and are no part of the key. */
function givenProxies(args: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(args).filter(([name]) => proxies.includes(name.toLowerCase())))
}

async function isolationFor({ workshop, context }: Session, { instruction }: RunStep): Promise<FoundIsolation> {
  const found = await workshop.isolation(context.signal)
  context.report({ type: 'choice', what: 'isolation', value: found.kind, because: found.because })
  if (found.kind !== 'missing') return found
  throw new KiwiError('BUILDER_UNFIT', `line ${instruction.line}: RUN cannot be isolated here: ${found.because}`, {
    hint: found.cure,
    evidence: { line: instruction.line, instruction: instruction.text, because: found.because },
  })
}

function platformOf({ request: { platform } }: Session): string {
  return [platform.os, platform.architecture, platform.variant ?? ''].join('/')
}

function failed({ id, instruction }: RunStep, exitCode: number, lines: readonly string[]): KiwiError {
  const { line, text } = instruction
  const { cause, seen, program, lines: important, hint } = explainStepFailure({ exitCode, lines })
  const what = `line ${line}: ${text.split('\n')[0]} ended with exit code ${exitCode}`
  return new KiwiError('BUILD_STEP_FAILED', seen === undefined ? what : `${what}: ${seen.trim()}`, {
    hint,
    evidence: {
      ...{ step: id, line, instruction: text, exitCode, cause },
      ...(program !== undefined && { program }),
      importantLines: [...important],
      lastLines: lines.slice(-20),
    },
  })
}
