import { causes } from './causes.js'
import { programs } from './programs.js'

/** Why a command of a Dockerfile usually ends this way. */
export type StepFailureCause =
  | 'out-of-memory'
  | 'disk-full'
  | 'wrong-architecture'
  | 'network'
  | 'version-conflict'
  | 'package-missing'
  | 'permission'
  | 'command-missing'
  | 'file-missing'
  | 'syntax'
  | 'unknown'

/** What a failed command of a build seems to have failed of. */
export interface StepExplanation {
  readonly cause: StepFailureCause
  /** The line that says so; undefined where only the exit code does, or nothing. */
  readonly seen?: string | undefined
  /** The package manager or compiler whose error was found. */
  readonly program?: string | undefined
  /** Up to 10 lines that matter, in their order: the program's own error, not what was printed last. */
  readonly lines: readonly string[]
  /** What to do about it. */
  readonly hint: string
}

const mostLines = 10
/** Of memory that ran out, and of a signal from outside. */
const killed = 137

/**
 * Reads a failed command's output for the error of the package manager or compiler that it ran, and for the cause. Of several causes
 * the one that explains the others comes first: a full disk also breaks downloads.
 * @example explainStepFailure({ exitCode: 1, lines: ['npm error code ERESOLVE', …] }).cause // 'version-conflict'
 */
export function explainStepFailure(failure: {
  readonly exitCode: number
  /** Of both streams, oldest first. */
  readonly lines: readonly string[]
}): StepExplanation {
  const lines = failure.lines.map(withoutColours).filter((line) => line.trim() !== '')
  const program = programs.find(({ error }) => lines.some((line) => error.test(line)))
  const own = program === undefined ? [] : lines.filter((line) => program.error.test(line))
  // A program's own error first: what others only mention beside it may be harmless.
  const told = [...own, ...lines.filter((line) => fetchTrouble.test(line))]
  const found = firstCause(told, undefined) ?? firstCause(lines.filter(isNoWarning), failure.exitCode)
  const important = own.length > 0 ? own : lines.slice(-mostLines)
  return {
    cause: found?.cause ?? 'unknown',
    ...(found?.seen !== undefined && { seen: found.seen }),
    ...(program !== undefined && { program: program.name }),
    lines: chosen(important, found?.seen),
    hint: found?.hint ?? 'The command’s own words say what it missed; run it in the same base image.',
  }
}

/** pip and apt end with "no such version" where in truth nothing could be fetched: these lines before it say so. */
const fetchTrouble = /^WARNING: Retrying|^Err:\d|^W: Failed to fetch|^\s*Temporary failure resolving/

function isNoWarning(line: string): boolean {
  return !/^\s*(?:npm (?:warn|notice)\b|warn(?:ing)?\b|\[WARN)/i.test(line)
}

interface FoundCause {
  readonly cause: StepFailureCause
  readonly seen?: string | undefined
  readonly hint: string
}

function firstCause(lines: readonly string[], exitCode: number | undefined): FoundCause | undefined {
  for (const { cause, pattern, exitCodes = [], hint } of causes) {
    const seen = lines.find((line) => pattern.test(line))
    if (seen !== undefined || (exitCode !== undefined && exitCodes.includes(exitCode))) return { cause, seen, hint }
  }
  if (exitCode !== killed) return undefined
  const hint =
    'Exit code 137 is a kill from outside, mostly because memory ran out: give the build more, or let it do less at a time.'
  return { cause: 'out-of-memory', hint }
}

/** The first lines of an error say what is wrong, the later ones where; the line that was seen is always among them. */
function chosen(lines: readonly string[], seen: string | undefined): string[] {
  const first = lines.slice(0, mostLines)
  if (seen === undefined || first.includes(seen)) return first
  return [...first.slice(0, mostLines - 1), seen]
}

function withoutColours(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences of terminals
  return line.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '').trimEnd()
}
