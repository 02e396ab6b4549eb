import { fail } from './fail.js'
import { readFlags } from './flags.js'
import { parseCommandForm } from './json-form.js'
import type { RawInstruction } from './reader.js'
import type { HealthcheckInstruction } from './types.js'
import { splitFirst } from './words.js'

const millisecondsPer: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** HEALTHCHECK without its place. */
export function parseHealthcheck(raw: RawInstruction): Omit<HealthcheckInstruction, 'line' | 'endLine' | 'text'> {
  const flags = readFlags(raw, {
    interval: 'text',
    timeout: 'text',
    'start-period': 'text',
    'start-interval': 'text',
    retries: 'text',
  })
  return {
    keyword: 'HEALTHCHECK',
    test: parseTest(raw),
    intervalMs: duration(raw, flags.interval),
    timeoutMs: duration(raw, flags.timeout),
    startPeriodMs: duration(raw, flags['start-period']),
    startIntervalMs: duration(raw, flags['start-interval']),
    retries: retries(raw, flags.retries),
  }
}

function parseTest(raw: RawInstruction): HealthcheckInstruction['test'] {
  const { first, rest = '' } = splitFirst(raw.rest)
  const type = first.toUpperCase()
  if (type === 'NONE' && rest === '') return 'none'
  const form = type === 'CMD' ? parseCommandForm(rest) : undefined
  const empty = form === undefined || (form.form === 'exec' ? form.argv.length === 0 : form.command === '')
  if (!empty) return form
  return fail(raw, 'HEALTHCHECK needs CMD and a command, or NONE', 'Write HEALTHCHECK CMD ["program", "argument"].')
}

/** Go's durations: `1m30s`, `500ms`, `1.5h`; `0` asks for the default. */
function duration(raw: RawInstruction, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  const parts = text === '0' ? [] : [...text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)]
  const matched = parts.map(([part]) => part).join('')
  const milliseconds = parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * (millisecondsPer[unit ?? ''] ?? 0),
    0,
  )
  if ((text === '0' || matched === text) && (milliseconds === 0 || milliseconds >= 1)) return milliseconds
  return fail(
    raw,
    `${JSON.stringify(text)} is no duration of at least 1ms`,
    'Write a number and a unit, such as 30s.',
    text,
  )
}

function retries(raw: RawInstruction, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text)
  return fail(raw, `--retries is no whole number from 0: ${text}`, 'Write --retries=3.', `--retries=${text}`)
}
