import type { SecretReference } from '../contracts/v1/context.js'
import type { Platform } from '../contracts/v1/image.js'

/** How the image is made: everything the builder needs but the files. */
export interface Recipe {
  readonly dockerfile: ChosenDockerfile
  readonly ignore?: string | undefined
  readonly contextPath: string
  readonly args: Readonly<Record<string, string>>
  readonly target?: string | undefined
  readonly secrets?: Readonly<Record<string, SecretReference>> | undefined
  readonly contexts?: Readonly<Record<string, string>> | undefined
  readonly platform: Platform
  readonly tag: string
  readonly buildNumber: number
  /** Registered name of the builder that fits. */
  readonly builder: string
}

export interface ChosenDockerfile {
  readonly from: 'path' | 'found' | 'wizard'
  readonly path: string
  readonly text: string
  readonly reasons: readonly string[]
  /** Further Dockerfiles that were there. */
  readonly others: readonly string[]
  readonly ignore?: string | undefined
}
