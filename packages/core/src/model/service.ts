import type { SecretReference } from '../contracts/v1/context.js'

/** What is built and deployed; registered once. */
export interface ServiceDefinition {
  /** Lower-case letters, digits and dashes, up to 63. */
  readonly name: string
  readonly source: SourceDefinition
  readonly build?: BuildSettings | undefined
  readonly image: ImageSettings
  /** What starts a run by itself. Default: nothing, runs are started by hand. */
  readonly triggers?: readonly TriggerDefinition[] | undefined
  readonly environments: Readonly<Record<string, EnvironmentDefinition>>
}

export type SourceDefinition = GitSourceDefinition | DirectorySourceDefinition

export interface GitSourceDefinition {
  /** https, ssh, or an absolute path of a local repository. */
  readonly git: string
  /** Sent as the Authorization of that host only. */
  readonly token?: SecretReference | undefined
  /** Fetches submodules too. Default false. */
  readonly submodules?: boolean | undefined
  /** Fetches large files instead of leaving their pointers. Default false. */
  readonly lfs?: boolean | undefined
}

/** Files of this machine as they are now, committed or not. */
export interface DirectorySourceDefinition {
  /** Absolute path. */
  readonly directory: string
}

export interface BuildSettings {
  /** Default `{ mode: 'auto' }`. */
  readonly dockerfile?: DockerfileChoice | undefined
  /** Directory that COPY sees, relative to the repository. Default `.`. */
  readonly context?: string | undefined
  readonly args?: Readonly<Record<string, string>> | undefined
  /** Stage to stop at. Default: the last one. */
  readonly target?: string | undefined
  /** Default `{ mode: 'layer' }`. */
  readonly cache?: BuildCache | undefined
  /** `linux/amd64`, `linux/arm64`, … Default: this machine's architecture. */
  readonly platform?: string | undefined
  /** For `RUN --mount=type=secret`, by id. */
  readonly secrets?: Readonly<Record<string, SecretReference>> | undefined
  /** Named contexts for `COPY --from=NAME`: directories relative to the repository. */
  readonly contexts?: Readonly<Record<string, string>> | undefined
  /** Base image for a Dockerfile that the wizard writes. */
  readonly baseImage?: string | undefined
}

/** `auto` finds the Dockerfile nearest to the context, and asks the wizard where there is none; `wizard` always asks it. */
export type DockerfileChoice =
  | { readonly mode: 'auto' }
  | { readonly mode: 'path'; readonly path: string }
  | { readonly mode: 'wizard' }

/** `layer`: unchanged steps of earlier builds; `registry`: those that lie in a repository; `local`: only this node's; `off`: every step runs. */
export type BuildCache =
  | { readonly mode: 'layer' | 'local' | 'off' }
  | { readonly mode: 'registry'; readonly repository?: string | undefined }

export interface ImageSettings {
  /** Name of a registered registry. */
  readonly registry: string
  /** Project or namespace and name (`library/web`). */
  readonly repository: string
  /** `${BRANCH}` `${SHORT_SHA}` `${TAG}` `${BUILD_NUMBER}` mixed with text. Default `${BRANCH}-${SHORT_SHA}`. */
  readonly tag?: string | undefined
}

/** What happens, and what it starts: a build, and with `environment` its deployment. */
export type TriggerDefinition =
  | (TriggerTarget & {
      readonly on: 'push'
      readonly branches: readonly string[]
      readonly paths?: readonly string[] | undefined
    })
  | (TriggerTarget & { readonly on: 'tag'; readonly tags: readonly string[] })
  | (TriggerTarget & {
      readonly on: 'schedule'
      /** Five or six fields. */
      readonly cron: string
      /** IANA name. Default `UTC`. */
      readonly timeZone?: string | undefined
      readonly ref: string
    })

interface TriggerTarget {
  readonly environment?: string | undefined
}

export type Strategy = 'rolling' | 'recreate' | 'blue-green'

/** A named target of the service. */
export interface EnvironmentDefinition {
  /** Name of a registered runtime. */
  readonly runtime: string
  readonly namespace?: string | undefined
  /** Default: 1 in `development`, else 2. */
  readonly replicas?: number | undefined
  readonly resources?: ResourceSettings | undefined
  readonly env?: Readonly<Record<string, string | SecretReference>> | undefined
  /** The port the application listens on; told to it as PORT too. Default 3000. */
  readonly port?: number | undefined
  /** Where the service is reached. Default: HTTP on a free port of 127.0.0.1. */
  readonly publish?:
    | {
        readonly protocol?: 'http' | 'tcp' | undefined
        readonly address?: string | undefined
        readonly port?: number | undefined
      }
    | undefined
  readonly health?:
    | {
        readonly type?: 'http' | 'tcp' | undefined
        readonly path?: string | undefined
        readonly intervalMs?: number | undefined
        readonly timeoutMs?: number | undefined
      }
    | undefined
  readonly volumes?:
    | readonly { readonly source: string; readonly path: string; readonly readOnly?: boolean | undefined }[]
    | undefined
  readonly entrypoint?: readonly string[] | undefined
  readonly command?: readonly string[] | undefined
  readonly stopGraceMs?: number | undefined
  /** Default `rolling`, on a runtime that can; else `blue-green`. */
  readonly strategy?: Strategy | undefined
  /** How long a new slot may take to become ready. Default 120 s. */
  readonly readyWithinMs?: number | undefined
  /** What is put up with until then. */
  readonly tolerance?: ToleranceSettings | undefined
  /** Asked once through the route after the switch; a failure puts the route back. Default: the health check's path. */
  readonly verify?: { readonly path: string; readonly status?: number | undefined } | undefined
  readonly beforeSwitch?: BeforeSwitch | undefined
  /** A run waits before it deploys until someone approves it. Default false. */
  readonly approval?: boolean | undefined
  /** How many good releases are kept to be rolled back to. Default and least 10. */
  readonly keepReleases?: number | undefined
}

/** Quantities as people write them: `100m`, `0.5`, `128Mi`, `1G`. */
export interface ResourceSettings {
  readonly requests?: ResourceQuantities | undefined
  readonly limits?: ResourceQuantities | undefined
}

export interface ResourceQuantities {
  readonly cpu?: string | undefined
  readonly memory?: string | undefined
}

export interface ToleranceSettings {
  /** So many ends by themselves, in all new instances together, are no accident any more. Default 3. */
  readonly restarts?: number | undefined
  /** Nothing that is seen changes for so long: told as a diagnosis, not yet a failure. Default 60 s. */
  readonly silenceMs?: number | undefined
}

/** A command run once from the new image before it gets traffic: a migration. Not run by a rollback. */
export interface BeforeSwitch {
  readonly command: readonly string[]
  /** Default 600 s. */
  readonly withinMs?: number | undefined
  /** The release changes the schema: a rollback must not cross it unasked. */
  readonly schemaChange?: boolean | undefined
}
