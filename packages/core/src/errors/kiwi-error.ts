import type { Json } from '../contracts/v1/json.js'
import { catalogue, type ErrorCode } from './catalogue.js'

/** Shared by all copies of this package in a process, so that `KiwiError.is` recognises errors of another copy. */
const marker: unique symbol = Symbol.for('kiwi.error')

/** Whether the failed call changed anything on the far side. */
export type Effect = 'none' | 'done' | 'unknown'

export interface KiwiErrorOptions {
  /** Pipeline stage in which it happened; the engine fills it in when an adapter leaves it out. */
  readonly stage?: string | undefined
  /** Default `'none'`. */
  readonly effect?: Effect | undefined
  /** Overrides the catalogue's. */
  readonly hint?: string | undefined
  readonly retryable?: boolean | undefined
  /** What was seen: exit codes, log lines, paths. Plain JSON, never a secret. */
  readonly evidence?: Json | undefined
  readonly cause?: unknown
}

/** A failure as the journal keeps it. */
export interface ErrorRecord {
  readonly code: ErrorCode
  readonly message: string
  readonly stage?: string | undefined
  readonly effect: Effect
  readonly retryable: boolean
  readonly hint: string
  readonly evidence?: Json | undefined
  /** The causes' messages, outermost first. */
  readonly causes?: readonly string[] | undefined
}

/**
 * The one error class. Branch on `code`, never on the text.
 * @example
 * try { await run.result } catch (error) { if (KiwiError.is(error) && error.code === 'BUILD_STEP_FAILED') show(error.evidence) }
 */
export class KiwiError extends Error {
  override readonly name = 'KiwiError'
  readonly [marker] = true
  readonly code: ErrorCode
  readonly stage: string | undefined
  readonly effect: Effect
  readonly retryable: boolean
  readonly hint: string
  readonly evidence: Json | undefined

  constructor(code: ErrorCode, message: string, options: KiwiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.stage = options.stage
    this.effect = options.effect ?? 'none'
    this.retryable = options.retryable ?? catalogue[code].retryable
    this.hint = options.hint ?? catalogue[code].hint
    this.evidence = options.evidence
  }

  static is(value: unknown): value is KiwiError {
    return typeof value === 'object' && value !== null && marker in value
  }

  /** Wraps anything that was thrown; a KiwiError stays itself, and gains the stage when it had none. */
  static from(thrown: unknown, stage?: string): KiwiError {
    if (KiwiError.is(thrown))
      return thrown.stage !== undefined || stage === undefined ? thrown : restaged(thrown, stage)
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    return new KiwiError(codeOf(thrown), message, { stage, effect: 'unknown', cause: thrown })
  }

  /** Rebuilds an error that the journal kept. */
  static fromRecord(record: ErrorRecord): KiwiError {
    return new KiwiError(record.code, record.message, { ...record, cause: causeOf(record.causes ?? []) })
  }

  toRecord(): ErrorRecord {
    const causes = messagesOf(this.cause)
    return {
      code: this.code,
      message: this.message,
      ...(this.stage === undefined ? {} : { stage: this.stage }),
      effect: this.effect,
      retryable: this.retryable,
      hint: this.hint,
      ...(this.evidence === undefined ? {} : { evidence: this.evidence }),
      ...(causes.length === 0 ? {} : { causes }),
    }
  }
}

function restaged(error: KiwiError, stage: string): KiwiError {
  return new KiwiError(error.code, error.message, { ...error, stage, cause: error.cause })
}

/** A full disk can surface from any file operation of any adapter; everything else unforeseen is a fault of ours. */
function codeOf(thrown: unknown): ErrorCode {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  return code === 'ENOSPC' || code === 'EDQUOT' ? 'DISK_FULL' : 'INTERNAL'
}

function messagesOf(cause: unknown): string[] {
  const messages: string[] = []
  for (let current = cause; current instanceof Error && messages.length < 8; current = current.cause)
    messages.push(current.message)
  return messages
}

function causeOf(messages: readonly string[]): Error | undefined {
  const [first, ...rest] = messages
  return first === undefined ? undefined : new Error(first, { cause: causeOf(rest) })
}
