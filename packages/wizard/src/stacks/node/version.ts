import type { Files } from '../../files.js'
import { describe } from '../../search.js'
import type { Choice, Found } from '../../stack.js'
import type { PackageJson } from './package-json.js'

export const defaultMajor = 24
/** Long-term support first, newest first; then the others. */
const preferred = [24, 22, 20, 18, 16, 14, 26, 25, 23, 21]
const codeNames: Readonly<Record<string, number>> = {
  krypton: 24,
  jod: 22,
  iron: 20,
  hydrogen: 18,
  gallium: 16,
  fermium: 14,
}

export interface NodeVersionFacts {
  /** `engines.node`, a range. */
  readonly engines?: Found<string> | undefined
  /** From `.nvmrc` or `.node-version`. */
  readonly pinned?: Found<string> | undefined
}

export async function readNodeVersion(files: Files, packageJson: PackageJson): Promise<NodeVersionFacts> {
  const { enginesNode } = packageJson
  const engines =
    enginesNode === undefined
      ? undefined
      : { value: enginesNode, evidence: packageJson.at(/"node"\s*:/, 'node/engines') }
  for (const file of ['.nvmrc', '.node-version']) {
    const value = (await files.read(file))?.trim()
    if (value) return { engines, pinned: { value, evidence: { file, line: 1, rule: 'node/version-file' } } }
  }
  return { engines }
}

/** The version file wins unless `engines` excludes it: it is what the developers run. */
export function chooseMajor({ engines, pinned }: NodeVersionFacts): Choice<number> {
  const major = pinned === undefined ? undefined : majorOf(pinned.value)
  if (pinned !== undefined && major !== undefined && (engines === undefined || allows(engines.value, major))) {
    return { value: major, reason: `${describe(pinned.evidence)} asks for Node.js ${pinned.value}.` }
  }
  const allowed = engines === undefined ? undefined : preferred.find((candidate) => allows(engines.value, candidate))
  if (engines === undefined || allowed === undefined) {
    return {
      value: defaultMajor,
      reason: `Nothing the wizard reads pins a version, so the current long-term support line is used.`,
    }
  }
  return {
    value: allowed,
    reason: `Node.js ${allowed} is the best line that engines.node ${engines.value} allows (${describe(engines.evidence)}).`,
  }
}

function majorOf(version: string): number | undefined {
  if (/^(lts\/\*|node|stable)$/.test(version)) return defaultMajor
  const name = /^lts\/(\w+)$/.exec(version)?.[1]
  if (name !== undefined) return codeNames[name.toLowerCase()]
  const digits = /^v?(\d{1,3})(\.|$)/.exec(version)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** Whether some version of the line satisfies the range; read at the precision of majors. */
function allows(range: string, major: number): boolean {
  return range.split('||').some((alternative) => {
    const hyphen = /^\s*v?(\d+)\S*\s+-\s+v?(\d+)\S*\s*$/.exec(alternative)
    if (hyphen !== null) return major >= Number(hyphen[1]) && major <= Number(hyphen[2])
    return [...alternative.matchAll(/([<>]=?|[~^=])?\s*v?(\d+|[*xX])(\S*)/g)].every((part) => satisfies(part, major))
  })
}

function satisfies([, operator = '', digits = '', rest = '']: RegExpExecArray, major: number): boolean {
  if (/[*xX]/.test(digits)) return true
  const bound = Number(digits)
  if (operator === '>=' || (operator === '>' && /[1-9]/.test(rest))) return major >= bound
  if (operator === '>') return rest === '' ? major > bound : major >= bound
  if (operator === '<=' || (operator === '<' && /[1-9]/.test(rest))) return major <= bound
  return operator === '<' ? major < bound : major === bound
}
