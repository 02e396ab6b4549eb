import type { Files } from '../files.js'
import { describe } from '../search.js'
import type { Choice, Evidence, Found, Generated, GenerateOptions, Sighting, Stack } from '../stack.js'
import { assignment, dockerignore, execForm, type Writer, writer } from '../writer.js'
import { type PackageJson, readPackageJson } from './node/package-json.js'
import { type PackageManagerFacts, readPackageManager } from './node/package-manager.js'
import { type NodePlan, planNode } from './node/plan.js'
import { readPort } from './node/port.js'
import { readStart, type StartFacts } from './node/start.js'
import { type NodeVersionFacts, readNodeVersion } from './node/version.js'

/** What was seen of a Node.js application. */
export interface NodeFacts {
  readonly version: NodeVersionFacts
  readonly packageManager: PackageManagerFacts
  readonly dependencies: { readonly production: number; readonly development: number }
  /** Where the build script is, if there is one. */
  readonly build?: Evidence | undefined
  /** Why an install needs the sources and not the manifests alone. */
  readonly sourcesForInstall?: string | undefined
  readonly start: StartFacts
  readonly port?: Found<number> | undefined
  /** The repository's own `.dockerignore`. */
  readonly ignore?: string | undefined
}

/** Node.js with npm, pnpm or Yarn 1. */
export const node: Stack<'node', NodeFacts, NodePlan> = {
  name: 'node',
  lookedFor: 'package.json with a start script, main or server.js (Node.js)',
  look,
  plan: planNode,
  generate,
}

async function look(files: Files): Promise<Sighting<NodeFacts> | undefined> {
  const packageJson = await readPackageJson(files)
  if (packageJson === undefined) return undefined
  const manifest = { file: 'package.json', rule: 'node/manifest' }
  if (packageJson === 'invalid')
    return { kind: 'refusal', reason: 'package.json is not valid JSON.', evidence: [manifest] }
  const packageManager = await readPackageManager(files, packageJson)
  if ('value' in packageManager) {
    const reason = `${describe(packageManager.evidence)} asks for a package manager other than npm, pnpm and Yarn 1.`
    return { kind: 'refusal', reason, evidence: [packageManager.evidence] }
  }
  const start = await readStart(files, packageJson)
  if (start === undefined) {
    const reason = 'package.json has no start script, no main, and there is no server.js or the like to run.'
    return { kind: 'refusal', reason, evidence: [manifest] }
  }
  const facts: NodeFacts = {
    version: await readNodeVersion(files, packageJson),
    packageManager,
    dependencies: count(packageJson),
    build: packageJson.scripts.build === undefined ? undefined : packageJson.at(/"build"\s*:/, 'node/build-script'),
    sourcesForInstall: await sourcesForInstall(files, packageJson),
    start,
    port: await readPort(files, start),
    ignore: await files.read('.dockerignore'),
  }
  const seen = [facts.version.engines?.evidence, facts.version.pinned?.evidence, facts.build, facts.port?.evidence]
  const evidence = [manifest, packageManager.evidence, start.evidence, ...seen.filter((one) => one !== undefined)]
  return { kind: 'candidate', confidence: await confidence(files, facts), evidence, facts }
}

/** Lower without a start script; lowest when what it runs is neither there nor built. */
async function confidence(files: Files, { start, build }: NodeFacts): Promise<number> {
  if (start.evidence.rule !== 'node/start-script') return 0.8
  const missing = start.entry !== undefined && build === undefined && !(await files.list()).includes(start.entry)
  return missing ? 0.4 : 0.95
}

function count({ dependencies, devDependencies }: PackageJson): NodeFacts['dependencies'] {
  return { production: Object.keys(dependencies).length, development: Object.keys(devDependencies).length }
}

async function sourcesForInstall(files: Files, packageJson: PackageJson): Promise<string | undefined> {
  const hook = ['preinstall', 'install', 'postinstall', 'prepare'].find(
    (name) => packageJson.scripts[name] !== undefined,
  )
  if (hook !== undefined) return `the ${hook} script may read them`
  if (packageJson.needsSources) return 'workspaces, local packages or patches are installed too'
  const workspace = (await files.read('pnpm-workspace.yaml')) ?? ''
  return /^(packages|patchedDependencies):/m.test(workspace)
    ? 'pnpm-workspace.yaml names packages or patches'
    : undefined
}

function generate(plan: NodePlan, { baseImage }: GenerateOptions): Generated {
  const out = writer()
  const image =
    baseImage === undefined ? plan.baseImage : { value: baseImage, reason: 'The base image that was asked for.' }
  if (plan.build !== undefined) writeBuildStage(out, plan, plan.build, image)
  out.add(`FROM ${image.value}`, image.reason)
  for (const [name, value] of Object.entries(plan.environment)) {
    out.add(`ENV ${assignment(name, value)}`, environmentReason(name, plan))
  }
  out.add('WORKDIR /app', 'A directory of its own.')
  if (plan.build !== undefined) out.add('COPY --from=build /app ./', 'Only what the build left.')
  else writeInstall(out, plan)
  out.add(`EXPOSE ${plan.port.value}`, plan.port.reason)
  if (plan.user !== undefined) out.add(`USER ${plan.user.value}`, plan.user.reason)
  out.add(`CMD ${execForm(plan.start.value)}`, plan.start.reason)
  return out.end(dockerignore(['**/node_modules', '**/npm-debug.log*', 'coverage', '.npm', '.yarn/cache'], plan.ignore))
}

function environmentReason(name: string, { port }: NodePlan): string {
  if (name === 'NODE_ENV') return 'Libraries skip what only developers need.'
  return name === 'PORT' ? port.reason : 'The start script sets it.'
}

function writeBuildStage(out: Writer, plan: NodePlan, build: readonly Choice<string>[], image: Choice<string>): void {
  out.add(`FROM ${image.value} AS build`, 'Built on the image it runs on, so that compiled packages fit.')
  out.add('WORKDIR /app', 'The same path as in the final image.')
  writeInstall(out, plan)
  for (const { value, reason } of build) out.add(`RUN ${value}`, reason)
  out.gap()
}

function writeInstall(out: Writer, { manifests, setup, install }: NodePlan): void {
  if (setup !== undefined) out.add(`RUN ${setup.value}`, setup.reason)
  if (manifests !== undefined) out.add(`COPY ${manifests.value.join(' ')} ./`, manifests.reason)
  if (manifests === undefined)
    out.add('COPY . .', install === undefined ? 'There is nothing to install.' : 'The install needs the sources.')
  if (install !== undefined) out.add(`RUN ${install.value}`, install.reason)
  if (manifests !== undefined) out.add('COPY . .', 'The sources, last, because they change most.')
}
