import type { OciLayout } from '@kiwi/core'
import type { LayerStore } from '../layers/index.js'
import type { FoundGroup } from '../supervisor/control-group.js'

/** Everything that is settled before the first call for an environment. */
export interface Setting {
  /** Of the environment. */
  readonly directory: string
  readonly supervisorPath: string
  /** `namespaces`: instances have a mounted root and namespaces of their own. `none`: they are plain processes of this machine. */
  readonly isolation: 'namespaces' | 'none'
  readonly network: 'host' | 'own'
  /** Whether the limits of instances can be kept here. */
  readonly limits: FoundGroup
  readonly images: OciLayout
  readonly layers: LayerStore
}
