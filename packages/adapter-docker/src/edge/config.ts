import type { HealthCheck, Publish } from '@kiwi/core'
import { commandPort, edgePort, lanes, laneWidth } from './places.js'

/**
 * How a server can be checked. HAProxy fixes interval and timeout when it reads its configuration, and reading it again would cost
 * idle connections: so there are classes, and a slot gets the first one that is patient enough for it.
 */
const checkKinds = {
  quick: { type: 'http', intervalMs: 2_000, downIntervalMs: 250, timeoutMs: 2_000 },
  normal: { type: 'http', intervalMs: 5_000, downIntervalMs: 1_000, timeoutMs: 10_000 },
  slow: { type: 'http', intervalMs: 10_000, downIntervalMs: 5_000, timeoutMs: 60_000 },
  tcp: { type: 'tcp', intervalMs: 2_000, downIntervalMs: 250, timeoutMs: 2_000 },
} as const

export type CheckKind = keyof typeof checkKinds

export function checkKindOf(health: HealthCheck): CheckKind {
  if (health.type === 'tcp') return 'tcp'
  if (health.timeoutMs <= checkKinds.quick.timeoutMs) return 'quick'
  return health.timeoutMs <= checkKinds.normal.timeoutMs ? 'normal' : 'slow'
}

type AddressOf = (lane: number, index: number) => string

/**
 * HAProxy's configuration: one backend per lane and kind of check, with all their servers listed and switched off.
 * The script switches servers on and names the backend of each request, so a move of the route is one assignment in memory.
 */
export function edgeConfig(protocol: Publish['protocol'], addressOf: AddressOf): string {
  const numbers = Array.from({ length: lanes }, (_, position) => position + 1)
  return [
    ...preamble,
    'frontend service',
    `  bind :${edgePort}`,
    `  mode ${protocol}`,
    ...(protocol === 'http' ? ['  option forwardfor'] : []),
    '  use_backend %[lua.kiwi_backend]',
    ...noBackend(protocol),
    ...numbers.flatMap((lane) => kindNames.flatMap((kind) => backend(kind, lane, protocol, addressOf))),
    '',
  ].join('\n')
}

// `Object.keys` forgets what the keys are.
export const kindNames = Object.keys(checkKinds) as CheckKind[]

const preamble = [
  'global',
  '  log stdout format raw local0 notice',
  `  stats socket ipv4@127.0.0.1:${commandPort} level admin`,
  '  maxconn 8000',
  '  no strict-limits',
  '  hard-stop-after 10s',
  // A command must never be suspended half-way: the interpreter would run the next one in between.
  '  tune.lua.forced-yield 1000000000',
  '  lua-load /tmp/kiwi.lua',
  'defaults',
  '  timeout connect 5s',
  '  timeout http-request 30s',
  '  timeout client 1h',
  '  timeout server 1h',
  '  timeout tunnel 24h',
  '  retries 3',
  '  option redispatch 1',
  '  balance roundrobin',
]

function noBackend(protocol: Publish['protocol']): string[] {
  const refusal =
    protocol === 'http'
      ? '  http-request return status 503 content-type text/plain string "no release is routed"'
      : '  tcp-request content reject'
  return ['backend none', `  mode ${protocol}`, refusal]
}

function backend(kind: CheckKind, lane: number, protocol: Publish['protocol'], addressOf: AddressOf): string[] {
  const { type, intervalMs, downIntervalMs: down, timeoutMs } = checkKinds[kind]
  const places = Array.from({ length: laneWidth }, (_, position) => position + 1)
  return [
    `backend ${kind}${lane}`,
    `  mode ${protocol}`,
    `  timeout check ${timeoutMs}ms`,
    ...(type === 'http' ? httpCheck : []),
    `  default-server check inter ${intervalMs}ms fastinter ${down}ms downinter ${down}ms fall 2 rise 1 disabled`,
    ...places.map((index) => `  server s${index} ${addressOf(lane, index)}:1`),
  ]
}

/** The path comes from a table that the script fills. */
const httpCheck = [
  '  option httpchk',
  '  http-check send meth GET uri-lf %[be_name,map(/tmp/paths.map,/)] ver HTTP/1.1 hdr Host localhost',
  '  http-check expect status 200-399',
]
