import type { OciLayout } from '@kiwi/core'
import type { LayerStore } from '../layers/index.js'

/** How instances run. `namespaces`: unpacked and mounted, in namespaces of their own. `none`: as plain processes of this machine. */
export type Isolation = 'namespaces' | 'none'

/** Everything that is settled before the first call for an environment. */
export interface Setting {
  /** Of the environment. */
  readonly directory: string
  readonly supervisorPath: string
  readonly isolation: Isolation
  readonly images: OciLayout
  readonly layers: LayerStore
}
