import { posix } from 'node:path'
import {
  type CommandForm,
  type EscapeCharacter,
  expand,
  expandWords,
  type HealthcheckInstruction,
  type Instruction,
} from '@kiwi/wizard/dockerfile'
import type { Healthcheck, RunConfig } from '../layers/index.js'
import { type Draft, envOf, shellOf, variablesOf, workingDirectory } from './draft.js'
import { portsOf } from './ports.js'
import { stopSignalOf } from './stop-signal.js'

/** Where an ARG without a default of its own gets its value. */
export interface ArgValues {
  /** Given to the build. */
  readonly given: Readonly<Record<string, string>>
  /** Of ARGs before the first FROM. */
  readonly global: Readonly<Record<string, string>>
  /** TARGETPLATFORM and its like. */
  readonly predefined: Readonly<Record<string, string>>
}

export type ConfigInstruction = Exclude<Instruction, { keyword: 'RUN' | 'COPY' | 'ADD' }>

interface Settings {
  readonly escapeCharacter: EscapeCharacter
  readonly values: ArgValues
}

/** Does what an instruction says to the image's configuration. WORKDIR's directory is made elsewhere. */
export function configure(draft: Draft, instruction: ConfigInstruction, settings: Settings): void {
  const change = changeBy(draft, instruction, settings)
  if (instruction.keyword === 'CMD') draft.commandIsOwn = true
  draft.config = { ...draft.config, ...change }
}

function changeBy(draft: Draft, instruction: ConfigInstruction, { escapeCharacter, values }: Settings): RunConfig {
  const { config } = draft
  const variables = variablesOf(draft)
  const options = { escape: escapeCharacter, line: instruction.line }
  const expanded = (word: string) => expand(word, variables, options)
  switch (instruction.keyword) {
    case 'ARG':
      for (const { name, value } of instruction.pairs) declare(draft, name, value && expanded(value), values)
      return {}
    case 'ENV': {
      const pairs = instruction.pairs.map(({ name, value }) => [expanded(name), expanded(value)] as const)
      return { Env: [...new Map([...envOf(config), ...pairs])].map(([name, value]) => `${name}=${value}`) }
    }
    case 'LABEL':
      return { Labels: { ...config.Labels, ...pairsOf(instruction.pairs, expanded) } }
    case 'WORKDIR':
      return { WorkingDir: posix.resolve(workingDirectory(config), expanded(instruction.path)) }
    case 'USER':
      return { User: expanded(instruction.user) }
    case 'EXPOSE': {
      const words = instruction.ports.flatMap((word) => expandWords(word, variables, options))
      const ports = words.flatMap((word) => portsOf(word, instruction.line))
      return { ExposedPorts: { ...config.ExposedPorts, ...keysOf(ports) } }
    }
    case 'VOLUME':
      return { Volumes: { ...config.Volumes, ...keysOf(instruction.paths.map(expanded)) } }
    case 'STOPSIGNAL':
      return { StopSignal: stopSignalOf(expanded(instruction.signal), instruction.line) }
    case 'SHELL':
      return { Shell: instruction.argv }
    case 'CMD':
      return { Cmd: argvOf(instruction.command, config) }
    case 'ENTRYPOINT': {
      const entrypoint = { Entrypoint: argvOf(instruction.command, config) }
      return draft.commandIsOwn ? entrypoint : { ...entrypoint, Cmd: undefined }
    }
    case 'HEALTHCHECK':
      return { Healthcheck: healthcheckOf(instruction) }
    case 'ONBUILD':
      return { OnBuild: [...(config.OnBuild ?? []), instruction.trigger.text] }
    case 'MAINTAINER':
      draft.author = instruction.maintainer
      return {}
    default:
      return instruction satisfies never
  }
}

export function argvOf(command: CommandForm, config: RunConfig): readonly string[] {
  return command.form === 'exec' ? command.argv : [...shellOf(config), command.command]
}

function declare(
  draft: Draft,
  name: string,
  ownDefault: string | undefined,
  { given, global, predefined }: ArgValues,
): void {
  const own = (table: Readonly<Record<string, string>>) => (Object.hasOwn(table, name) ? table[name] : undefined)
  const value = own(given) ?? ownDefault ?? own(global) ?? own(predefined)
  if (value !== undefined) draft.args.set(name, value)
}

function pairsOf(pairs: readonly { name: string; value: string }[], expanded: (word: string) => string) {
  return Object.fromEntries(pairs.map(({ name, value }) => [expanded(name), expanded(value)]))
}

function keysOf(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]))
}

function healthcheckOf(instruction: HealthcheckInstruction): Healthcheck {
  const { test, intervalMs, timeoutMs, startPeriodMs, startIntervalMs, retries } = instruction
  if (test === 'none') return { Test: ['NONE'] }
  const nanoseconds = (milliseconds: number | undefined) => milliseconds && milliseconds * 1_000_000
  const words = test.form === 'exec' ? ['CMD', ...test.argv] : ['CMD-SHELL', test.command]
  const times = {
    Interval: nanoseconds(intervalMs),
    Timeout: nanoseconds(timeoutMs),
    StartPeriod: nanoseconds(startPeriodMs),
    StartInterval: nanoseconds(startIntervalMs),
    Retries: retries,
  }
  return { Test: words, ...times }
}
