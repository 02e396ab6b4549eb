import type { Agent } from 'node:http'

/** Something that takes requests: an instance, as the front sees it. */
export interface Upstream {
  readonly address: { readonly host: string; readonly port: number }
  /** Kept connections, for requests that may be sent again when one of them turns out to be closed. */
  readonly agent: Agent
  /** A request or connection goes through it from now on, until `leave`. */
  enter(): void
  leave(): void
}

/** The next one that may take a request, another than `except`. Asked anew for every request. */
export type Pick = (except?: Upstream) => Upstream | undefined

/** Takes turns among those that are ready at the moment of the call. */
export function takeTurns(ready: () => readonly Upstream[]): Pick {
  let turn = 0
  return (except) => {
    const candidates = ready().filter((upstream) => upstream !== except)
    turn = (turn + 1) % Math.max(candidates.length, 1)
    return candidates[turn]
  }
}
