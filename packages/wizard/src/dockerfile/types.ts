/** The character that escapes, and that continues a line when it ends one. */
export type EscapeCharacter = '\\' | '`'

/** A parsed Dockerfile. Every value in it is as written: variables are not expanded, quotes are kept. */
export interface Dockerfile {
  readonly escape: EscapeCharacter
  readonly directives: Directives
  /** The `ARG`s before the first `FROM`; they are seen by `FROM` only. */
  readonly globalArgs: readonly ArgInstruction[]
  readonly stages: readonly Stage[]
  /** What builders accept but an author should know. */
  readonly problems: readonly Problem[]
}

/** The `# name=value` lines at the top. `escape` is on the Dockerfile itself. */
export interface Directives {
  readonly syntax?: string | undefined
  readonly check?: string | undefined
}

export interface Problem {
  readonly line: number
  readonly rule:
    | 'empty-continuation-line'
    | 'maintainer-deprecated'
    | 'legacy-key-value'
    | 'json-like-shell-form'
    | 'empty-command'
    | 'duplicate-stage-name'
  readonly message: string
}

/** One `FROM` and what follows it. */
export interface Stage {
  readonly index: number
  /** In lower case. */
  readonly name?: string | undefined
  readonly base: string
  readonly platform?: string | undefined
  readonly instructions: readonly Instruction[]
  readonly line: number
  /** The `FROM` line. */
  readonly text: string
}

export type Instruction =
  | RunInstruction
  | CopyInstruction
  | AddInstruction
  | EnvInstruction
  | LabelInstruction
  | ArgInstruction
  | CommandInstruction<'CMD'>
  | CommandInstruction<'ENTRYPOINT'>
  | HealthcheckInstruction
  | ShellInstruction
  | WorkdirInstruction
  | UserInstruction
  | StopsignalInstruction
  | MaintainerInstruction
  | ExposeInstruction
  | VolumeInstruction
  | OnbuildInstruction

export type Keyword = Instruction['keyword']

export interface Located<K extends string> {
  readonly keyword: K
  /** First line, from 1. */
  readonly line: number
  /** Last line, from 1: continuation lines and heredoc bodies included. */
  readonly endLine: number
  /** The instruction as one logical line: continuations joined, comments left out, heredoc bodies appended. */
  readonly text: string
}

/** Exec form is a JSON array of strings. Anything else, invalid JSON included, is shell form. */
export type CommandForm =
  | { readonly form: 'exec'; readonly argv: readonly string[] }
  | { readonly form: 'shell'; readonly command: string }

export interface Heredoc {
  readonly name: string
  /** The body as it stands in the file, each line with its newline; leading tabs are still there. */
  readonly content: string
  /** False when the name was quoted: variables in the body stay as they are. */
  readonly expand: boolean
  /** `<<-`: leading tabs are to be removed from each line. `stripTabs` does it. */
  readonly stripTabs: boolean
}

export interface RunInstruction extends Located<'RUN'> {
  /** As written; `runCommand` says what is to be run once heredocs are taken in. */
  readonly command: CommandForm
  /** One record per `--mount`, with `type` always there and aliases resolved (dst → target, src → source, ro → readonly). */
  readonly mounts: readonly RunMount[]
  readonly network?: string | undefined
  readonly security?: string | undefined
  readonly devices: readonly string[]
  readonly heredocs: readonly Heredoc[]
}

export interface RunMount extends Readonly<Record<string, string>> {
  readonly type: string
}

interface Transfer {
  /** Paths, globs and (ADD) addresses. */
  readonly sources: readonly string[]
  /** Sources given in place; each becomes a file with the heredoc's name. */
  readonly heredocs: readonly Heredoc[]
  readonly destination: string
  readonly chown?: string | undefined
  readonly chmod?: string | undefined
  readonly link: boolean
  readonly exclude: readonly string[]
}

export interface CopyInstruction extends Located<'COPY'>, Transfer {
  readonly from?: string | undefined
  readonly parents: boolean
}

export interface AddInstruction extends Located<'ADD'>, Transfer {
  readonly checksum?: string | undefined
  /** Undefined when not written: the default differs between local and remote sources. */
  readonly keepGitDir?: boolean | undefined
  readonly unpack?: boolean | undefined
}

/** A name and value as written; builders expand both. */
export interface Pair {
  readonly name: string
  readonly value: string
}

export interface EnvInstruction extends Located<'ENV'> {
  readonly pairs: readonly Pair[]
}

export interface LabelInstruction extends Located<'LABEL'> {
  readonly pairs: readonly Pair[]
}

export interface ArgInstruction extends Located<'ARG'> {
  /** `value` is the default, undefined when there is none. */
  readonly pairs: readonly { readonly name: string; readonly value?: string | undefined }[]
}

export interface CommandInstruction<K extends 'CMD' | 'ENTRYPOINT'> extends Located<K> {
  readonly command: CommandForm
}

export interface HealthcheckInstruction extends Located<'HEALTHCHECK'> {
  readonly test: CommandForm | 'none'
  /** Undefined or 0 means the engine's default. Whole or broken milliseconds. */
  readonly intervalMs?: number | undefined
  readonly timeoutMs?: number | undefined
  readonly startPeriodMs?: number | undefined
  readonly startIntervalMs?: number | undefined
  readonly retries?: number | undefined
}

export interface ShellInstruction extends Located<'SHELL'> {
  readonly argv: readonly string[]
}

export interface WorkdirInstruction extends Located<'WORKDIR'> {
  readonly path: string
}

export interface UserInstruction extends Located<'USER'> {
  readonly user: string
}

export interface StopsignalInstruction extends Located<'STOPSIGNAL'> {
  readonly signal: string
}

export interface MaintainerInstruction extends Located<'MAINTAINER'> {
  readonly maintainer: string
}

export interface ExposeInstruction extends Located<'EXPOSE'> {
  /** As written: `80`, `80/udp`, `8000-8010`; each may expand to several words. */
  readonly ports: readonly string[]
}

export interface VolumeInstruction extends Located<'VOLUME'> {
  readonly paths: readonly string[]
}

export interface OnbuildInstruction extends Located<'ONBUILD'> {
  readonly trigger: Exclude<Instruction, OnbuildInstruction>
}
