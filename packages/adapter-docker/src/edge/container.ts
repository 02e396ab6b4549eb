import { KiwiError, type Publish, type Target } from '@kiwi/core'
import type Docker from 'dockerode'
import type { ContainerCreateOptions } from 'dockerode'
import { statusOf } from '../errors.js'
import { createContainer } from '../instance/create.js'
import { edgeName, labels, targetLabels, targetName } from '../names.js'
import { edgeConfig, kindNames } from './config.js'
import type { Engine } from './edge.js'
import type { TargetNetwork } from './network.js'
import { edgePort, lanes, laneWidth, stateDirectory } from './places.js'
import { edgeScript } from './script.js'

export interface EdgeOrder {
  readonly generation: number
  readonly publish: Publish | undefined
}

/** Creates the edge's container. Configuration and script are in its environment: it is made whole by this one call. */
export async function createEdge(
  engine: Engine,
  target: Target,
  network: TargetNetwork,
  order: EdgeOrder,
): Promise<Docker.Container> {
  const body = edgeBody(target, engine.edge.image, network, order)
  try {
    return await createContainer(engine.docker, edgeName(target), body)
  } catch (thrown) {
    // Someone else made it meanwhile: theirs is as good, or will be found condemned.
    if (KiwiError.is(thrown) && statusOf(thrown.cause) === 409) return engine.docker.getContainer(edgeName(target))
    throw thrown
  }
}

function edgeBody(target: Target, image: string, network: TargetNetwork, order: EdgeOrder): ContainerCreateOptions {
  const { publish } = order
  const port = `${edgePort}/tcp`
  const binding = publish && { HostIp: publish.address, HostPort: String(publish.port) }
  return {
    Image: image,
    Entrypoint: ['bash', '-ec'],
    Cmd: [startScript],
    Env: [
      `KIWI_CONFIG=${edgeConfig(publish?.protocol ?? 'http', network.of)}`,
      `KIWI_SCRIPT=${edgeScript}`,
      `KIWI_STATE=${stateDirectory}`,
      `KIWI_LANES=${lanes}`,
      `KIWI_WIDTH=${laneWidth}`,
      `KIWI_KINDS=${kindNames.join(' ')}`,
    ],
    Labels: {
      ...targetLabels(target),
      [labels.role]: 'edge',
      [labels.generation]: String(order.generation),
      [labels.publish]: JSON.stringify(publish ?? null),
    },
    // Root without a single capability: it owns its volume and nothing else.
    User: '0:0',
    ExposedPorts: { [port]: {} },
    HostConfig: {
      PortBindings: binding === undefined ? {} : { [port]: [binding] },
      Mounts: [{ Type: 'volume', Source: targetName(target), Target: stateDirectory }],
      RestartPolicy: { Name: 'unless-stopped' },
      NetworkMode: network.id,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      ReadonlyRootfs: true,
      Tmpfs: { '/tmp': 'size=4m' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } },
    },
    NetworkingConfig: { EndpointsConfig: { [network.id]: { IPAMConfig: { IPv4Address: network.edge } } } },
  }
}

const startScript = `
: > /tmp/paths.map
printf '%s\\n' "$KIWI_SCRIPT" > /tmp/kiwi.lua
printf '%s\\n' "$KIWI_CONFIG" > /tmp/haproxy.cfg
exec haproxy -db -f /tmp/haproxy.cfg`
