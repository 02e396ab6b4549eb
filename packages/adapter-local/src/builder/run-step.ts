import { chmod, chown, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KiwiError } from '@kiwi/core'
import { type RunInstruction, runCommand } from '@kiwi/wizard/dockerfile'
import {
  type BuildOnlyMount,
  type FoundIsolation,
  type OnOutput,
  runInNamespaces,
  runPlain,
  type StepCommand,
} from '../isolation/index.js'
import { makeScratch, readUpper, type UpperDiff, type View, type WrittenLayer } from '../layers/index.js'
import { cachedStep, makeLayer } from './cached-step.js'
import { type Draft, envOf, shellOf, workingDirectory } from './draft.js'
import { settingsMount, writeHostSettings } from './host-settings.js'
import { keyOf } from './key.js'
import { lastLines } from './last-lines.js'
import { belowOf, type Session, viewOf } from './session.js'
import type { StepNote } from './steps.js'
import { findUser } from './users.js'

interface RunStep {
  readonly id: string
  readonly instruction: RunInstruction
}

/** RUN. The key is the files below, the command, and all that it sees of configuration and arguments. */
export function runStep(session: Session, draft: Draft, step: RunStep): Promise<StepNote> {
  const { instruction } = step
  const below = belowOf(draft.layers)
  const { config, args } = draft
  const command = runCommand(instruction)
  const settings = JSON.stringify([config.Env, [...args], config.User, workingDirectory(config), shellOf(config)])
  const said = JSON.stringify(command)
  return cachedStep(session, draft, {
    id: step.id,
    key: keyOf('run', platformOf(session), below, said, settings),
    origin: { below, instruction: `RUN ${said} ${settings}` },
    make: () => run(session, draft, step),
  })
}

async function run(session: Session, draft: Draft, step: RunStep): Promise<WrittenLayer | undefined> {
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

interface Surroundings {
  readonly session: Session
  readonly draft: Draft
  readonly step: RunStep
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
  const { session, draft, view, scratch, onOutput } = surroundings
  const { signal } = session.context
  const lowers = await Promise.all(draft.layers.map((layer) => session.workshop.layers.ensure(layer, signal)))
  const { command, mounts } = await prepare(surroundings, { mountedAt: settingsMount })
  const { exitCode, upper } = await runInNamespaces({ scratch, lowers, view, command, mounts, onOutput, signal })
  const latestSeconds = session.request.createdAtSeconds
  return { exitCode, upper, diff: await readUpper(upper, { below: view, latestSeconds, signal }) }
}

async function plain(surroundings: Surroundings): Promise<Ended> {
  const { session, draft, view, scratch, onOutput } = surroundings
  const { command } = await prepare(surroundings, { mountedAt: undefined })
  const { layers } = draft
  const store = session.workshop.layers
  const latestSeconds = session.request.createdAtSeconds
  return runPlain({ scratch, layers, store, view, command, latestSeconds, onOutput, signal: session.context.signal })
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
  const npmCache = join(session.workshop.directory, 'npm-cache', String(user.uid))
  await makeCache(npmCache, user)
  await mkdir(join(files, 'npm-cache'))
  for (const name of await readdir(files)) if (name !== 'npm-cache') await chmod(join(files, name), 0o755)
  const own = { ...Object.fromEntries(draft.args), ...Object.fromEntries(envOf(draft.config)) }
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: user.home,
    SOURCE_DATE_EPOCH: String(session.request.createdAtSeconds),
    npm_config_cache: mountedAt === undefined ? npmCache : join(at, 'npm-cache'),
    ...settings.env,
    ...givenProxies(session.request.args),
    ...own,
  }
  const mounts: BuildOnlyMount[] = [
    { source: files, target: settingsMount, type: 'directory', readOnly: true },
    { source: npmCache, target: `${settingsMount}/npm-cache`, type: 'directory', readOnly: false },
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

/** What npm fetched before, for every build by the same user id; npm itself checks each piece against its digest. */
async function makeCache(
  directory: string,
  { uid, gid }: { readonly uid: number; readonly gid: number },
): Promise<void> {
  await mkdir(directory, { recursive: true })
  if (process.getuid?.() !== 0) return
  await chown(directory, uid, gid)
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
  return new KiwiError('BUILD_STEP_FAILED', `line ${line}: ${text.split('\n')[0]} ended with exit code ${exitCode}`, {
    evidence: { step: id, line, instruction: text, exitCode, lastLines: [...lines] },
  })
}
