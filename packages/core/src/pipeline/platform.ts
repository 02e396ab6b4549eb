import type { Platform } from '../contracts/v1/image.js'

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm: 'arm', arm64: 'arm64' }

/** `linux/arm64/v8` as a definition says it (checked at registration), or what this machine is. */
export function platformOf(setting?: string): Platform {
  const [os = 'linux', architecture = architectures[process.arch] ?? process.arch, variant] = setting?.split('/') ?? []
  return { os, architecture, ...(variant !== undefined && { variant }) }
}
