import { describe } from '../../search.js'
import type { Choice } from '../../stack.js'
import type { NodeFacts } from '../node.js'
import type { PackageManagerFacts, PackageManagerName } from './package-manager.js'
import { chooseMajor } from './version.js'

/** What is to be written for a Node.js application. Plain JSON. */
export interface NodePlan {
  readonly version: 1
  readonly stack: 'node'
  readonly baseImage: Choice<string>
  /** Copied before the install; everything is copied when undefined. */
  readonly manifests?: Choice<readonly string[]> | undefined
  /** Fetches the package manager, where the image may not have it. */
  readonly setup?: Choice<string> | undefined
  readonly install?: Choice<string> | undefined
  /** With a build there are two stages. */
  readonly build?: readonly Choice<string>[] | undefined
  readonly environment: Readonly<Record<string, string>>
  readonly port: Choice<number>
  readonly user?: Choice<string> | undefined
  readonly start: Choice<readonly string[]>
  readonly ignore?: string | undefined
}

const installAll: Readonly<Record<PackageManagerName, readonly [locked: string, free: string]>> = {
  npm: ['npm ci', 'npm install'],
  pnpm: ['pnpm install --frozen-lockfile', 'pnpm install'],
  yarn: ['yarn install --frozen-lockfile', 'yarn install'],
}
const productionOnly: Readonly<Record<PackageManagerName, string>> = {
  npm: '--omit=dev',
  pnpm: '--prod',
  yarn: '--production',
}
const prune: Readonly<Record<PackageManagerName, string>> = {
  npm: 'npm prune --omit=dev',
  pnpm: 'CI=true pnpm prune --prod',
  yarn: 'yarn install --frozen-lockfile --production --ignore-scripts --prefer-offline',
}

/** Decides how it is installed, built and started. */
export function planNode(facts: NodeFacts): NodePlan {
  const { packageManager, start } = facts
  const major = chooseMajor(facts.version)
  const installs = facts.dependencies.production + facts.dependencies.development > 0
  const built =
    facts.build !== undefined || (facts.dependencies.development > 0 && facts.sourcesForInstall !== undefined)
  const port = choosePort(facts)
  const manifests = packageManager.manifests
  return {
    version: 1,
    stack: 'node',
    baseImage: { value: `node:${major.value}-slim`, reason: major.reason },
    manifests:
      !installs || facts.sourcesForInstall !== undefined
        ? undefined
        : { value: manifests, reason: 'Copied before the sources, so that a change in these does not install again.' },
    setup: packageManager.name === 'npm' || !(installs || built) ? undefined : chooseSetup(packageManager),
    install: installs ? chooseInstall(facts, built) : undefined,
    build: built ? chooseBuild(facts) : undefined,
    environment: {
      NODE_ENV: 'production',
      ...start.environment,
      ...(facts.port === undefined ? { PORT: `${port.value}` } : {}),
    },
    port,
    user:
      port.value < 1024
        ? undefined
        : {
            value: '1000:1000',
            reason:
              'Not root. Official Node.js images call this user node; a number also works in other images and lets Kubernetes check it.',
          },
    start: { value: start.argv, reason: start.why },
    ignore: facts.ignore,
  }
}

function choosePort({ port }: NodeFacts): Choice<number> {
  if (port === undefined)
    return { value: 3000, reason: 'The sources name no port, so PORT is set to 3000, the usual one.' }
  return { value: port.value, reason: `${describe(port.evidence)} says so.` }
}

function chooseSetup({ name, version, why }: PackageManagerFacts): Choice<string> {
  const wanted = version ?? (name === 'yarn' ? '1.22.22' : '10')
  return {
    value: `npm install --global --force ${name}@${wanted}`,
    reason: `The image need not have ${name}, and ${why}.`,
  }
}

function chooseInstall({ packageManager: { name, lockfile, why }, start }: NodeFacts, built: boolean): Choice<string> {
  const [locked, free] = installAll[name]
  const command = lockfile === undefined ? free : locked
  const exactly =
    lockfile === undefined
      ? `Without a lock file each build may get other versions; ${why}.`
      : `Exactly what ${lockfile} says.`
  if (built) return { value: command, reason: `${exactly} With development dependencies: the build needs them.` }
  if (start.needsDevDependencies)
    return { value: command, reason: `${exactly} The start command is a development dependency, so those stay.` }
  return { value: `${command} ${productionOnly[name]}`, reason: `${exactly} Without development dependencies.` }
}

function chooseBuild({ build, packageManager: { name }, start, dependencies }: NodeFacts): readonly Choice<string>[] {
  const steps: Choice<string>[] = []
  if (build !== undefined)
    steps.push({ value: `${name} run build`, reason: `There is a build script (${describe(build)}).` })
  if (dependencies.development > 0 && !start.needsDevDependencies) {
    steps.push({ value: prune[name], reason: 'The application does not need development dependencies any more.' })
  }
  return steps
}
