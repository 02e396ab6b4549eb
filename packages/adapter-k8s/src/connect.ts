import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent, type RequestOptions } from 'node:https'
import { KiwiError } from '@kiwi/core'
import { KubeConfig } from '@kubernetes/client-node'
import { type Access, type Client, createClient } from './transport/client.js'

/** Free sockets are closed by us after this long, well before any API server or load balancer does. */
const freeSocketMs = 30_000

/** Reads the kubeconfig and how to authenticate; contacts nobody unless the kubeconfig names a program that fetches a token. */
export async function connect(options: {
  readonly kubeconfig?: string | undefined
  readonly context?: string | undefined
  readonly namespace?: string | undefined
}): Promise<Client> {
  const config = load(options)
  const cluster = config.getCurrentCluster()
  if (!cluster) throw unfit(`the kubeconfig's context ${config.getCurrentContext()} names no cluster`)
  const namespace = options.namespace ?? config.getContextObject(config.getCurrentContext())?.namespace ?? 'default'
  return createClient({ server: new URL(cluster.server), namespace, access: accessOf(config) })
}

function load({ kubeconfig, context }: { kubeconfig?: string | undefined; context?: string | undefined }): KubeConfig {
  const config = new KubeConfig()
  try {
    if (kubeconfig === undefined) config.loadFromDefault()
    else config.loadFromFile(kubeconfig)
  } catch (error) {
    throw unfit(`the kubeconfig${kubeconfig === undefined ? '' : ` ${kubeconfig}`} cannot be read`, error)
  }
  if (context === undefined) return config
  if (!config.getContextObject(context)) throw unfit(`the kubeconfig has no context ${context}`)
  config.setCurrentContext(context)
  return config
}

/** Keys and headers are read once, and again when the server no longer takes them; the pool stays as long as the keys are the same. */
function accessOf(config: KubeConfig): (renew: boolean) => Promise<Access> {
  let current: { readonly access: Access; readonly keys: string } | undefined
  return async (renew) => {
    if (current && !renew) return current.access
    const options: RequestOptions = {}
    try {
      await config.applyToHTTPSOptions(options)
    } catch (error) {
      throw unfit('the kubeconfig’s way to authenticate failed', error)
    }
    const { ca, cert, key, servername, rejectUnauthorized } = options
    const keys = JSON.stringify([ca, cert, key, servername, rejectUnauthorized].map(String))
    const agent = current?.keys === keys ? current.access.agent : poolOf(config, options)
    current = { keys, access: { agent, headers: headersOf(options) } }
    return current.access
  }
}

/** The SDK opens a connection for every request; this pool keeps them. Behind a proxy the SDK's own agent is used. */
function poolOf(config: KubeConfig, options: RequestOptions): Access['agent'] {
  const cluster = config.getCurrentCluster()
  if (cluster?.proxyUrl && typeof options.agent === 'object') return options.agent
  const pool = { keepAlive: true, timeout: freeSocketMs, scheduling: 'lifo' } as const
  if (cluster?.server.startsWith('http:')) return new HttpAgent(pool)
  const { ca, cert, key, servername, rejectUnauthorized } = options
  return new HttpsAgent({
    ...pool,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(servername !== undefined && { servername }),
    ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
  })
}

function headersOf({ auth, headers }: RequestOptions): Record<string, string> {
  const given = Object.entries(headers ?? {}).flatMap(([name, value]) => (value == null ? [] : [[name, String(value)]]))
  const basic = auth == null ? {} : { Authorization: `Basic ${Buffer.from(auth).toString('base64')}` }
  return { ...Object.fromEntries(given), ...basic }
}

function unfit(message: string, cause?: unknown): KiwiError {
  const hint = 'Check the path, the context and the user of the kubeconfig; kubectl must work with it.'
  return new KiwiError('INPUT_INVALID', message, { hint, cause })
}
