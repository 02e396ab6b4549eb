import { BlockList, isIP } from 'node:net'

/** Networks that nobody on the Internet is reached by (IANA special-purpose registries), but for those kept for documents. */
const insideV4: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8], // this host
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // behind a provider's address translation
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // link-local: where clouds answer with an instance's own credentials
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3], // multicast, reserved, broadcast
]
const insideV6: readonly (readonly [network: string, prefix: number])[] = [
  ['::', 127], // unspecified, loopback
  ['64:ff9b:1::', 48], // address translation inside
  ['2001::', 32], // Teredo
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
]
/** Where instances of clouds get their credentials from; 168.63.129.16 is not in a private network, though it answers like one. */
const metadataAddresses = ['169.254.169.254', '169.254.170.2', '100.100.100.200', '168.63.129.16', 'fd00:ec2::254']
const metadataNames = new Set(['metadata', 'metadata.google.internal', 'metadata.goog', 'instance-data'])

const inside = new BlockList()
const metadata = new BlockList()
for (const [network, prefix] of insideV4) addV4(inside, network, prefix)
for (const [network, prefix] of insideV6) inside.addSubnet(network, prefix, 'ipv6')
for (const address of metadataAddresses)
  if (isIP(address) === 4) addV4(metadata, address, 32)
  else metadata.addAddress(address, 'ipv6')

/** IPv6 has four ways to say an IPv4 address: mapped, compatible, NAT64 and 6to4. */
function addV4(list: BlockList, network: string, prefix: number): void {
  const [a = 0, b = 0, c = 0, d = 0] = network.split('.').map(Number)
  const high = ((a << 8) | b).toString(16)
  const low = ((c << 8) | d).toString(16)
  list.addSubnet(network, prefix, 'ipv4')
  list.addSubnet(`::ffff:${high}:${low}`, 96 + prefix, 'ipv6')
  list.addSubnet(`::${high}:${low}`, 96 + prefix, 'ipv6')
  list.addSubnet(`64:ff9b::${high}:${low}`, 96 + prefix, 'ipv6')
  list.addSubnet(`2002:${high}:${low}::`, 16 + prefix, 'ipv6')
}

/** Whether an IP address, in whichever spelling, is one of this machine, its network or its cloud. False for names. */
export function isInsideAddress(address: string): boolean {
  return has(inside, address) || has(metadata, address)
}

/** Whether a host is where a cloud gives an instance its credentials. */
export function isMetadataHost(host: string): boolean {
  return metadataNames.has(host) || has(metadata, host)
}

/** Whether a host, an address or a name, is inside as far as can be said without asking for its address. */
export function isInsideHost(host: string): boolean {
  if (isIP(host) !== 0) return isInsideAddress(host)
  return !host.includes('.') || /\.(?:localhost|local|internal|home\.arpa)$/.test(host) || isMetadataHost(host)
}

/** The host of a URL as a resolver takes it: without brackets, and without the dot that ends a full name. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
}

function has(list: BlockList, address: string): boolean {
  const [plain = ''] = address.split('%') // a zone is not part of the address
  const version = isIP(plain)
  return version !== 0 && list.check(plain, version === 4 ? 'ipv4' : 'ipv6')
}
