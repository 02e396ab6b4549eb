import type { Files } from '../../files.js'
import { describe, evidenceAt } from '../../search.js'
import type { Evidence, Found } from '../../stack.js'
import type { PackageJson } from './package-json.js'

export type PackageManagerName = 'npm' | 'pnpm' | 'yarn'

export interface PackageManagerFacts {
  readonly name: PackageManagerName
  readonly why: string
  readonly evidence: Evidence
  /** As pinned by `packageManager`, or the line that reads the lock file. */
  readonly version?: string | undefined
  readonly lockfile?: string | undefined
  /** All files an install reads. */
  readonly manifests: readonly string[]
}

const lockfiles: readonly (readonly [string, PackageManagerName])[] = [
  ['pnpm-lock.yaml', 'pnpm'],
  ['yarn.lock', 'yarn'],
  ['package-lock.json', 'npm'],
  ['npm-shrinkwrap.json', 'npm'],
]
const pnpmReading: Readonly<Record<string, string>> = { '5.3': '6', '5.4': '7', '6.0': '8', '6.1': '8', '9.0': '9' }
const settings: Readonly<Record<PackageManagerName, readonly string[]>> = {
  npm: ['.npmrc'],
  pnpm: ['.npmrc', 'pnpm-workspace.yaml'],
  yarn: ['.npmrc', '.yarnrc'],
}

/** What installs the packages: `packageManager`, else the lock file, else npm. Found `false` for one the wizard cannot use. */
export async function readPackageManager(
  files: Files,
  packageJson: PackageJson,
): Promise<PackageManagerFacts | Found<false>> {
  const present = await files.list()
  const [, name, version] = /^(\w+)@(\d+\.\d+\.\d+[\w.-]*)/.exec(packageJson.packageManager ?? '') ?? []
  const named = packageJson.at(/"packageManager"\s*:/, 'node/package-manager')
  if (name !== undefined && !isKnown(name)) return { value: false, evidence: named }
  const locked = lockfiles.find(([file, owner]) => present.includes(file) && (name === undefined || name === owner))
  const owner = name ?? locked?.[1] ?? 'npm'
  if (locked === undefined && name === undefined) {
    const foreign = ['bun.lock', 'bun.lockb', 'deno.lock'].find((file) => present.includes(file))
    if (foreign !== undefined) return { value: false, evidence: { file: foreign, rule: 'node/package-manager' } }
  }
  const modern = owner === 'yarn' ? await modernYarn(files, version, named) : undefined
  if (modern !== undefined) return { value: false, evidence: modern }
  const lockfile = locked?.[0]
  const manifests = ['package.json', ...(lockfile === undefined ? [] : [lockfile]), ...settings[owner]]
  return {
    name: owner,
    version: version ?? (owner === 'pnpm' && lockfile !== undefined ? await pnpmFor(files, lockfile) : undefined),
    lockfile,
    manifests: manifests.filter((file) => present.includes(file)),
    ...reasonFor(owner, name === undefined ? undefined : named, lockfile),
  }
}

function isKnown(name: string): name is PackageManagerName {
  return name === 'npm' || name === 'pnpm' || name === 'yarn'
}

async function modernYarn(files: Files, version: string | undefined, named: Evidence): Promise<Evidence | undefined> {
  if (version !== undefined) return version.startsWith('1.') || version.startsWith('0.') ? undefined : named
  const text = (await files.read('yarn.lock')) ?? ''
  return text.includes('__metadata:') ? evidenceAt('yarn.lock', text, /__metadata:/, 'node/package-manager') : undefined
}

async function pnpmFor(files: Files, lockfile: string): Promise<string | undefined> {
  const written = /^lockfileVersion:\s*['"]?([\d.]+)/m.exec((await files.read(lockfile)) ?? '')?.[1]
  return written === undefined ? undefined : pnpmReading[written]
}

function reasonFor(owner: PackageManagerName, named: Evidence | undefined, lockfile: string | undefined) {
  if (named !== undefined) return { why: `${describe(named)} names ${owner}`, evidence: named }
  if (lockfile !== undefined) {
    return { why: `${lockfile} is ${owner}'s lock file`, evidence: { file: lockfile, rule: 'node/lock-file' } }
  }
  return { why: 'there is no lock file, so npm is used', evidence: { file: 'package.json', rule: 'node/no-lock-file' } }
}
