import { fail } from './fail.js'
import { readFlags } from './flags.js'
import { parseHeredoc, stripTabs } from './heredoc.js'
import type { RawInstruction } from './reader.js'
import type { CommandForm, RunInstruction, RunMount } from './types.js'

const mountTypes = ['bind', 'cache', 'tmpfs', 'secret', 'ssh']
const aliases: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  rw: 'readwrite',
}
const mountKeys = 'type from source target readonly readwrite id sharing required size mode uid gid env'.split(' ')
const switches = ['readonly', 'readwrite', 'required']

/** The parts of RUN that its flags give. */
export function runFlags(raw: RawInstruction): Pick<RunInstruction, 'mounts' | 'network' | 'security' | 'devices'> {
  const flags = readFlags(raw, { mount: 'list', network: 'text', security: 'text', device: 'list' })
  const mounts = flags.mount.map((mount) => parseMount(raw, mount))
  return { mounts, network: flags.network, security: flags.security, devices: flags.device }
}

/** What a RUN runs once its heredocs are taken in: an argv, a command line for the shell, or a script with its own `#!`. */
export type RunCommand = CommandForm | { readonly form: 'script'; readonly content: string }

/**
 * `RUN <<EOF` alone runs the body: as a script file when it starts with `#!`, else by the shell.
 * With more on the line the shell gets line and bodies as they are written.
 */
export function runCommand({ command, heredocs }: RunInstruction): RunCommand {
  const [first] = heredocs
  if (command.form === 'exec' || first === undefined) return command
  if (parseHeredoc(command.command) === undefined) {
    const bodies = heredocs.map(({ content, name }) => `\n${content}${name}`)
    return { form: 'shell', command: command.command + bodies.join('') }
  }
  const content = stripTabs(first)
  return content.startsWith('#!') ? { form: 'script', content } : { form: 'shell', command: content }
}

function parseMount(raw: RawInstruction, text: string): RunMount {
  const values: Record<string, string> = { type: 'bind' }
  for (const field of splitFields(text)) {
    const equals = field.indexOf('=')
    const written = (equals === -1 ? field : field.slice(0, equals)).toLowerCase()
    const key = aliases[written] ?? written
    if (!mountKeys.includes(key)) {
      fail(raw, `unknown key ${written} in --mount`, `--mount takes ${mountKeys.join(', ')}.`, field)
    }
    if (equals === -1 && !switches.includes(key)) {
      fail(raw, `${written} in --mount has no value`, `Write ${written}=VALUE.`, field)
    }
    values[key] = equals === -1 ? 'true' : field.slice(equals + 1)
  }
  return checkMount(raw, { ...values, type: values.type ?? 'bind' })
}

function checkMount(raw: RawInstruction, mount: RunMount): RunMount {
  if (!mountTypes.includes(mount.type)) {
    fail(raw, `unknown mount type ${mount.type}`, `--mount takes type=${mountTypes.join(', ')}.`, mount.type)
  }
  if (/\$./.test(mount.from ?? '')) {
    fail(raw, 'from in --mount takes no variables', 'Name a stage: FROM $IMAGE AS tools, then from=tools.', mount.from)
  }
  return mount
}

/** Comma separated; a field in double quotes may hold commas, and `""` is a quote. */
function splitFields(text: string): string[] {
  const fields = text.match(/(?:^|(?<=,))(?:"(?:[^"]|"")*"|[^,]*)/g) ?? []
  return fields.map((field) => (field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field))
}
