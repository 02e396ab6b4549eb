import { execFile } from 'node:child_process'
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { KiwiError } from '@kiwi/core'
import { toolPath } from '../tools/path.js'

/** A network namespace that can be reached. Disposed, its rules on this machine go; its interfaces go with its last process. */
export interface OwnNetwork extends AsyncDisposable {
  /** Where its processes are reached from this machine. */
  readonly host: string
}

/**
 * Joins the network namespace of a process with this machine, by a pair of interfaces in a network of its own. Other machines are reached
 * through this one, masqueraded, where it forwards (`net.ipv4.ip_forward`) and has iptables.
 * @param environment marks the rules, so that whoever comes after a crash knows them
 */
export async function joinNetwork(pid: number, environment: string): Promise<OwnNetwork> {
  const [gateway, host] = randomPair()
  const link = `kiwi-${randomBytes(4).toString('hex')}`
  await batch(
    'ip',
    ['-batch', '-'],
    [
      `link add ${link} type veth peer name eth0 netns ${pid}`,
      `addr add ${gateway}/30 dev ${link}`,
      `link set ${link} up`,
    ],
  )
  await batch(
    'nsenter',
    [`--net=/proc/${pid}/ns/net`, 'ip', '-batch', '-'],
    ['link set lo up', `addr add ${host}/30 dev eth0`, 'link set eth0 up', `route add default via ${gateway}`],
  )
  const mark = `${markOf(environment)}-${link}`
  await letOut(host, mark).catch((error: unknown) => console.error(`${host} reaches only this machine:`, error))
  return { host, [Symbol.asyncDispose]: () => removeRules(mark) }
}

/** Removes what a killed supervisor of the environment left in the tables of this machine. */
export async function removeLeftRules(environment: string): Promise<void> {
  await removeRules(`${markOf(environment)}-`)
}

/** The two usable addresses of one of 16384 small networks in a range that hardly anyone uses. */
function randomPair(): readonly [gateway: string, host: string] {
  const number = randomInt(1 << 14) * 4
  const address = (offset: number) => `10.213.${(number + offset) >> 8}.${(number + offset) & 255}`
  return [address(1), address(2)]
}

async function letOut(host: string, mark: string): Promise<void> {
  const comment = ['-m', 'comment', '--comment', mark]
  await iptables('-t', 'nat', '-A', 'POSTROUTING', '-s', host, ...comment, '-j', 'MASQUERADE')
  await iptables('-I', 'FORWARD', '-s', host, ...comment, '-j', 'ACCEPT')
  await iptables('-I', 'FORWARD', '-d', host, ...comment, '-j', 'ACCEPT')
}

async function removeRules(mark: string): Promise<void> {
  for (const [table, chain] of [
    ['nat', 'POSTROUTING'],
    ['filter', 'FORWARD'],
  ] as const) {
    const rules = await iptables('-t', table, '-S', chain).catch(() => '')
    for (const rule of rules.split('\n').filter((line) => line.includes(` ${mark}`))) {
      await iptables('-t', table, '-D', ...rule.trim().split(' ').slice(1)).catch(() => {})
    }
  }
}

function markOf(environment: string): string {
  return `kiwi-${createHash('sha256').update(environment).digest('hex').slice(0, 10)}`
}

function iptables(...args: readonly string[]): Promise<string> {
  return run('iptables', ['-w', ...args])
}

function batch(program: string, args: readonly string[], lines: readonly string[]): Promise<string> {
  return run(program, args, `${lines.join('\n')}\n`)
}

const packages: Readonly<Record<string, string>> = { ip: 'iproute2', iptables: 'iptables', nsenter: 'util-linux' }

function run(program: string, args: readonly string[], input = ''): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const child = execFile(program, args, { env: { PATH: toolPath } }, (error, output, words) => {
    if (error === null) resolve(output)
    else if (error.code === 'ENOENT') reject(missing(program))
    else reject(new KiwiError('RUNTIME_FAILED', `${program} ${args.join(' ')}: ${words.trim()}`, { cause: error }))
  })
  child.stdin?.end(input)
  return promise
}

function missing(program: string): KiwiError {
  const hint = `Install the package ${packages[program] ?? program} (Debian's name).`
  return new KiwiError('TOOL_MISSING', `the program ${program} is not on this machine`, { hint })
}
