import type { Publish } from '@kiwi/core'
import { addressOf } from '../address.js'
import { type Listener, openListener } from './listener.js'
import type { Pick } from './pick.js'

/** A listener that is open already and not used yet. One of the two is called. */
export interface PreparedListener {
  readonly publish: Publish
  readonly port: number
  use(): void
  undo(): Promise<void>
}

/** The one place where the environment is reached. */
export class Front {
  #listener: Listener | undefined
  readonly #pick: Pick

  constructor(pick: Pick) {
    this.#pick = pick
  }

  get address(): string | undefined {
    return this.#listener && addressOf(this.#listener.publish, this.#listener.port)
  }

  get isOpen(): boolean {
    return this.#listener !== undefined
  }

  /** Opens what is asked for beside what is there. Rejects with `PORT_TAKEN`; what was there is untouched then. */
  async prepare(publish: Publish, keptPort: number | undefined): Promise<PreparedListener> {
    const current = this.#listener
    if (current !== undefined && isSame(publish, current)) return prepared(current)
    const inTheWay = current?.publish.address === publish.address && current.port === publish.port
    if (inTheWay) current.close()
    const reopen = async () => {
      if (inTheWay) this.#listener = await openListener(current.publish, current.port, this.#pick)
    }
    const next = await openListener(publish, keptPort, this.#pick).catch(async (error: unknown) => {
      await reopen()
      throw error
    })
    return prepared(next, {
      use: () => {
        this.#listener = next
        current?.close()
      },
      undo: async () => {
        next.close()
        await reopen()
      },
    })
  }

  close(): void {
    this.#listener?.close()
    this.#listener = undefined
  }
}

function prepared(
  { publish, port }: Listener,
  { use, undo } = { use: () => {}, undo: async () => {} },
): PreparedListener {
  return { publish, port, use, undo }
}

function isSame(wanted: Publish, { publish, port }: Listener): boolean {
  if (wanted.protocol !== publish.protocol || wanted.address !== publish.address) return false
  return wanted.port === publish.port || wanted.port === port
}
