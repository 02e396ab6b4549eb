import type { Files } from '../../files.js'
import { evidenceAt } from '../../search.js'
import type { Evidence } from '../../stack.js'

/** The parts of a package.json that the wizard reads. */
export interface PackageJson {
  readonly text: string
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly main?: string | undefined
  readonly packageManager?: string | undefined
  readonly enginesNode?: string | undefined
  /** Has workspaces, local (`file:`, `link:`) dependencies or patches: an install needs more than the manifests. */
  readonly needsSources: boolean
  at(pattern: RegExp, rule: string): Evidence
}

/** Undefined when there is none, `'invalid'` when it is no JSON object. */
export async function readPackageJson(files: Files): Promise<PackageJson | 'invalid' | undefined> {
  const text = await files.read('package.json')
  if (text === undefined) return undefined
  const value = parseObject(text)
  if (value === undefined) return 'invalid'
  const dependencies = { ...strings(value.optionalDependencies), ...strings(value.dependencies) }
  const devDependencies = strings(value.devDependencies)
  const local = Object.values({ ...dependencies, ...devDependencies }).some((range) =>
    /^(file|link|workspace|portal|patch):/.test(range),
  )
  return {
    text,
    scripts: strings(value.scripts),
    dependencies,
    devDependencies,
    main: string(value.main),
    packageManager: string(value.packageManager),
    enginesNode: string(object(value.engines).node),
    needsSources:
      local || value.workspaces !== undefined || Object.keys(object(object(value.pnpm).patchedDependencies)).length > 0,
    at: (pattern, rule) => evidenceAt('package.json', text, pattern, rule),
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function object(value: unknown): Record<string, unknown> {
  return isObject(value) ? value : {}
}

function string(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function strings(value: unknown): Record<string, string> {
  const entries = Object.entries(object(value)).flatMap(([name, item]) =>
    typeof item === 'string' ? [[name, item] as const] : [],
  )
  return Object.fromEntries(entries)
}
