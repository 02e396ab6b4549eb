import type { Instance } from '../instance.js'

/** The next instance that may take a request, another than `except`. Asked anew for every request. */
export type Pick = (except?: Instance) => Instance | undefined

/** Takes turns among those that are ready at the moment of the call. */
export function takeTurns(ready: () => readonly Instance[]): Pick {
  let turn = 0
  return (except) => {
    const candidates = ready().filter((instance) => instance !== except)
    turn = (turn + 1) % Math.max(candidates.length, 1)
    return candidates[turn]
  }
}
