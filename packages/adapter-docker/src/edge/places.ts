import { KiwiError } from '@kiwi/core'

/**
 * Slots that can exist at the same time, and instances that each can have. The edge has a server for every one of them, and
 * HAProxy spends time on those that are switched off too.
 */
export const lanes = 4
export const laneWidth = 16

/** Inside the edge's container: where the service's requests arrive, and where the commands do, from inside only. */
export const edgePort = 8080
export const commandPort = 9000

/** Where the edge keeps what it must not forget: a small volume of its own. */
export const stateDirectory = '/kiwi'

const firstTask = (lanes + 1) * laneWidth

/**
 * Every instance has an address of its own that stays with it across restarts, so the edge can never reach a neighbour that
 * was given the address meanwhile. Host numbers in the target's network: 2 the edge, 16 × lane + 0…15 the instances, above them the tasks.
 */
export interface Addressing {
  readonly edge: string
  of(lane: number, index: number): string
  /** Where commands run that run once. */
  readonly tasks: readonly string[]
}

/** `subnet` as the engine gives it: `10.246.3.0/24`. */
export function addressing(subnet: string): Addressing {
  const [network = '', prefix = ''] = subnet.split('/')
  const bytes = network.split('.').map(Number)
  if (bytes.length !== 4 || bytes.some((byte) => !(byte >= 0 && byte <= 255)) || !(Number(prefix) <= 24))
    throw new KiwiError('RUNTIME_FAILED', `the engine's network ${subnet} is too small for a service`, {
      retryable: false,
      hint: 'Give the engine address pools of IPv4 networks of size 24 or larger (default-address-pools).',
    })
  const host = (number: number): string => [bytes[0], bytes[1], bytes[2], number].join('.')
  const tasks = Array.from({ length: 255 - firstTask }, (_, position) => host(firstTask + position))
  return { edge: host(2), tasks, of: (lane, index) => host(lane * laneWidth + index - 1) }
}
