import type { Context, Probe, Runtime } from '@kiwi/core'
import { act } from './act.js'
import { claim } from './claim.js'
import { connect, type DockerConnection } from './connect.js'
import type { EdgeOptions } from './edge/edge.js'
import { attempt } from './errors.js'
import { evidence } from './instance/evidence.js'
import { observe } from './observe.js'

export type { DockerConnection } from './connect.js'
export type { EdgeOptions } from './edge/edge.js'

export interface DockerRuntimeOptions {
  readonly connection?: DockerConnection | undefined
  /** The proxy in front of every service: it owns the published port, knows who is healthy and refuses who was replaced. */
  readonly edge: EdgeOptions
}

/**
 * Runs images on a Docker Engine (API 1.41 or newer).
 * @example
 * const runtime = dockerRuntime({ edge: { image: 'haproxy:2.6' } })
 */
export function dockerRuntime(options: DockerRuntimeOptions): Runtime {
  const docker = connect(options.connection)
  const engine = { docker, edge: options.edge }
  return {
    contract: 'runtime/v1',
    kind: 'docker',
    traits: { takes: ['registry'], rolling: 'composed', routes: 'many' },
    probe: (context) => probe(docker, context),
    claim: (target, context) => claim(engine, target, context),
    observe: (target, context) => observe(docker, target, context),
    act: (target, action, context) => act(engine, target, action, context),
    evidence: (target, slot) => evidence(docker, target, slot),
  }
}

async function probe(docker: ReturnType<typeof connect>, context: Context): Promise<Probe> {
  context.signal.throwIfAborted()
  try {
    const version = await attempt('asking for the version', 'none', () => docker.version())
    return {
      ok: true,
      summary: `Docker Engine ${version.Version}, API ${version.ApiVersion}`,
      details: { version: version.Version, api: version.ApiVersion, platform: `${version.Os}/${version.Arch}` },
    }
  } catch (thrown) {
    return { ok: false, summary: thrown instanceof Error ? thrown.message : String(thrown), details: {} }
  }
}
