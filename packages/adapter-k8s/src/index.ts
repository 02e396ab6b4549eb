import type { Runtime } from '@kiwi/core'
import { act } from './act.js'
import { claim } from './fence/claim.js'
import { observe } from './observe.js'
import { gather } from './pods/evidence.js'
import { probe } from './probe/probe.js'
import type { Client } from './transport/client.js'

export interface KubernetesRuntimeOptions {
  /** Path of a kubeconfig. Default: `KUBECONFIG`, `~/.kube/config`, or the pod's service account, in this order. */
  readonly kubeconfig?: string | undefined
  /** Context of the kubeconfig. Default: its current one. */
  readonly context?: string | undefined
  /** For targets that name none. Default: the context's, else `default`. */
  readonly namespace?: string | undefined
  /**
   * How long the cluster's nodes may take to learn where a Service goes once its endpoints say so. Default 2000: kube-proxy writes its
   * rules about once a second; give more on large clusters.
   */
  readonly routeSettlesWithinMs?: number | undefined
}

/**
 * A Kubernetes cluster, or one namespace of it. A slot is a Deployment, the route is the selector of the target's Service, a command that runs once is a Job.
 * Nothing is loaded or contacted before the first call.
 * @example
 * const runtime = kubernetesRuntime({ kubeconfig: '/etc/kiwi/staging.kubeconfig', namespace: 'staging' })
 */
export function kubernetesRuntime(options: KubernetesRuntimeOptions = {}): Runtime {
  const { routeSettlesWithinMs = 2000 } = options
  const client = connecting(options)
  return {
    contract: 'runtime/v1',
    kind: 'kubernetes',
    traits: { takes: ['registry'], rolling: 'native', routes: 'one' },
    probe: (context) => probe(client, context),
    claim: async (target, context) => claim(await client(), target, context),
    async *observe(target, context) {
      yield* observe(await client(), target, context, { routeSettlesWithinMs })
    },
    act: async (target, action, context) => act(await client(), target, action, context),
    evidence: async (target, slot, context) => gather(await client(), target, slot, context),
  }
}

/** The SDK is loaded at the first use; a failed attempt is not kept. */
function connecting(options: KubernetesRuntimeOptions): () => Promise<Client> {
  let client: Promise<Client> | undefined
  return () => {
    client ??= import('./connect.js')
      .then(({ connect }) => connect(options))
      .catch((error: unknown) => {
        client = undefined
        throw error
      })
    return client
  }
}
