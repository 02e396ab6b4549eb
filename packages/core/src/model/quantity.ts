import { KiwiError } from '../errors/kiwi-error.js'

/** What `parseCpu` takes, in words. */
export const cpuAllowed = 'cores as 2, 0.5 or 100m (thousandths of a core), no finer than 1m'
/** What `parseMemory` takes, in words. */
export const memoryAllowed =
  'bytes as 1024, 128Mi or 1G (Ki Mi Gi Ti Pi Ei: powers of 1024; k M G T P E: powers of 1000), whole bytes, less than 8Pi'

/**
 * Thousandths of a core: `'100m'` → 100, `'0.5'` → 500, `'2'` → 2000. The grammar is that of Kubernetes' resource.Quantity.
 * Throws `INPUT_INVALID` for anything else, for less than nothing and for what is finer than 1m.
 */
export function parseCpu(text: string): number {
  return exactly(text, 1000n) ?? refuse('CPU', cpuAllowed)
}

/**
 * Bytes: `'128Mi'` → 134217728, `'1G'` → 1000000000, `'1024'` → 1024. The grammar is that of Kubernetes' resource.Quantity.
 * Throws `INPUT_INVALID` for anything else, for less than nothing, for parts of a byte (`'100m'`) and from 8Pi on.
 */
export function parseMemory(text: string): number {
  return exactly(text, 1n) ?? refuse('memory', memoryAllowed)
}

/** As Kubernetes writes it, without a fraction: 100 → `'100m'`, 1500 → `'1500m'`, 2000 → `'2'`. */
export function formatCpu(millis: number): string {
  return millis % 1000 === 0 ? String(millis / 1000) : `${millis}m`
}

/** The shortest that is exact and has no fraction: 134217728 → `'128Mi'`, 1000000000 → `'1G'`, 1536 → `'1536'`. */
export function formatMemory(bytes: number): string {
  return ['', ...binary.slice(1), ...decimal.slice(1)]
    .filter((suffix) => BigInt(bytes) % factorOf(suffix) === 0n)
    .map((suffix) => `${BigInt(bytes) / factorOf(suffix)}${suffix}`)
    .reduce((best, one) => (one.length < best.length ? one : best))
}

const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const decimal = ['', 'k', 'M', 'G', 'T', 'P', 'E']
const fractions = ['', 'm', 'u', 'n']
const grammar =
  /^\+?(?:(?<whole>\d+)(?:\.(?<part>\d*))?|\.(?<only>\d+))(?:(?<suffix>[KMGTPE]i|[numkMGTPE])|[eE](?<exponent>[+-]?\d{1,2}))?$/

/** The number times `scale`, or nothing where that is no whole number or `text` no quantity. */
function exactly(text: string, scale: bigint): number | undefined {
  const groups = typeof text === 'string' && text.length <= 64 ? grammar.exec(text)?.groups : undefined
  if (groups === undefined) return undefined
  const fraction = groups.part ?? groups.only ?? ''
  const digits = BigInt(`${groups.whole ?? ''}${fraction}`)
  const exponent = Number(groups.exponent ?? 0)
  const small = Math.max(fractions.indexOf(groups.suffix ?? ''), 0)
  const numerator = digits * scale * factorOf(groups.suffix ?? '') * 10n ** BigInt(Math.max(exponent, 0))
  const denominator = 10n ** BigInt(fraction.length + Math.max(-exponent, 0)) * 1000n ** BigInt(small)
  if (numerator % denominator !== 0n || numerator / denominator > BigInt(Number.MAX_SAFE_INTEGER)) return undefined
  return Number(numerator / denominator)
}

function factorOf(suffix: string): bigint {
  if (binary.includes(suffix)) return 1024n ** BigInt(binary.indexOf(suffix))
  return 1000n ** BigInt(Math.max(decimal.indexOf(suffix), 0))
}

/** The text itself is not repeated: what stands in the wrong place may be a secret. */
function refuse(what: string, allowed: string): never {
  throw new KiwiError('INPUT_INVALID', `this is not an amount of ${what}; allowed: ${allowed}`)
}
