import type { Publish } from '@kiwi/core'

/** Where a published port answers, as a URL that works on this machine. */
export function addressOf({ protocol, address }: Publish, port: number): string {
  const reachable = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address
  return `${protocol}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}
