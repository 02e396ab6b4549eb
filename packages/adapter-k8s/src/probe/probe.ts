import { type Context, KiwiError, type Probe } from '@kiwi/core'
import type { V1ResourceRule, V1SelfSubjectRulesReview, VersionInfo } from '@kubernetes/client-node'
import type { Client } from '../transport/client.js'

const all = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete']

/** What observe, act and evidence ask of the API. */
const needed: readonly { readonly group: string; readonly resource: string; readonly verbs: readonly string[] }[] = [
  { group: '', resource: 'services', verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
  { group: 'apps', resource: 'deployments', verbs: all },
  { group: 'batch', resource: 'jobs', verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
  { group: '', resource: 'pods', verbs: ['list', 'watch'] },
  { group: '', resource: 'pods/log', verbs: ['get'] },
  { group: '', resource: 'secrets', verbs: ['list', 'create', 'patch'] },
  { group: '', resource: 'events', verbs: ['list'] },
  { group: 'discovery.k8s.io', resource: 'endpointslices', verbs: ['list', 'watch'] },
]

/** Asks who answers, and whether the user has the rights that are needed in the namespace. Never rejects. */
export async function probe(connecting: () => Promise<Client>, { signal }: Context): Promise<Probe> {
  try {
    const client = await connecting()
    const version = await client.read<VersionInfo>({ path: '/version' }, signal)
    const missing = await missingRights(client, signal)
    const { namespace, server } = client
    const details = {
      version: version?.gitVersion ?? 'unknown',
      server: server.host,
      namespace,
      missing: missing.join(', ') || 'none',
    }
    const summary = `Kubernetes ${details.version} at ${server.host}, namespace ${namespace}`
    if (missing.length === 0) return { ok: true, summary, details }
    return { ok: false, summary: `${summary}: the user lacks ${missing.join(', ')}`, details }
  } catch (thrown) {
    const error = KiwiError.from(thrown)
    return { ok: false, summary: error.message, details: { code: error.code, hint: error.hint } }
  }
}

async function missingRights(client: Client, signal: AbortSignal): Promise<string[]> {
  const path = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews'
  const answer = await client.ask({ method: 'POST', path, body: { spec: { namespace: client.namespace } } }, signal)
  const status = answer.status < 300 ? (answer.body as V1SelfSubjectRulesReview).status : undefined // asked for as such
  if (!status || status.incomplete) return [] // nobody can list them: what is missing shows when it is used
  const has = (group: string, resource: string, verb: string) =>
    status.resourceRules.some((rule) => allows(rule, { group, resource, verb }))
  return needed.flatMap(({ group, resource, verbs }) => {
    const lacking = verbs.filter((verb) => !has(group, resource, verb))
    return lacking.length === 0 ? [] : [`${lacking.join('/')} ${resource}`]
  })
}

function allows(
  { apiGroups, resources, verbs, resourceNames }: V1ResourceRule,
  { group, resource, verb }: { group: string; resource: string; verb: string },
): boolean {
  const includes = (list: readonly string[] | undefined, value: string) =>
    list?.some((item) => item === '*' || item === value) ?? false
  return !resourceNames?.length && includes(apiGroups, group) && includes(resources, resource) && includes(verbs, verb)
}
