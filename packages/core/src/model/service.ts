import type { SecretReference } from '../contracts/v1/context.js'

/** What is built and deployed; registered once. */
export interface ServiceDefinition {
  /** Lower-case letters, digits and dashes, up to 63. */
  readonly name: string
  readonly source: GitSourceDefinition
  readonly build?: BuildSettings | undefined
  readonly image: ImageSettings
  readonly environments: Readonly<Record<string, EnvironmentDefinition>>
}

export interface GitSourceDefinition {
  /** https, ssh, or an absolute path of a local repository. */
  readonly git: string
  /** Sent as the Authorization of that host only. */
  readonly token?: SecretReference | undefined
}

export interface BuildSettings {
  /** `'auto'` (default) finds it and asks the wizard where there is none; `'wizard'` always asks; else a path in the repository. */
  readonly dockerfile?: string | undefined
  /** Directory that COPY sees, relative to the repository. Default `.`. */
  readonly context?: string | undefined
  readonly args?: Readonly<Record<string, string>> | undefined
  readonly target?: string | undefined
  /** Base image for a Dockerfile that the wizard writes. */
  readonly baseImage?: string | undefined
}

export interface ImageSettings {
  /** Name of a registered registry. */
  readonly registry: string
  readonly repository: string
  /** `${BRANCH}` `${SHORT_SHA}` `${TAG}` mixed with text. Default `${BRANCH}-${SHORT_SHA}`. */
  readonly tag?: string | undefined
}

/** A named target of the service. */
export interface EnvironmentDefinition {
  /** Name of a registered runtime. */
  readonly runtime: string
  readonly namespace?: string | undefined
  readonly replicas?: number | undefined
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
  readonly strategy?: 'blue-green' | undefined
  /** How long a new slot may take to become ready. Default 120 s. */
  readonly readyWithinMs?: number | undefined
  /** Asked once through the route after the switch; a failure puts the route back. Default: the health check's path. */
  readonly verify?: { readonly path: string; readonly status?: number | undefined } | undefined
}
