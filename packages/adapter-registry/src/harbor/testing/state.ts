import type { IncomingMessage, ServerResponse } from 'node:http'

export interface Account {
  readonly password: string
  readonly kind: 'user' | 'robot'
  /** `PROJECT/RESOURCE:ACTION`, or `*` for everything. */
  readonly rights: readonly string[]
}

export interface FakeArtifact {
  readonly digest: string
  readonly mediaType: string
  readonly size: number
  readonly tags: Set<string>
}

export interface FakeProject {
  readonly id: number
  readonly name: string
  readonly public: boolean
  readonly registryId?: number
  readonly retentionId?: number
  /** -1: unlimited. */
  hardBytes: number
  usedBytes: number
  readonly rules: Record<string, unknown>[]
  readonly repositories: Map<string, Map<string, FakeArtifact>>
}

export interface State {
  readonly accounts: Map<string, Account>
  readonly projects: Map<string, FakeProject>
  readonly retentions: Map<number, Record<string, unknown>>
  readonly robots: Map<number, Record<string, unknown>>
  readonly tokens: Map<string, string>
  isReadOnly: boolean
  /** Answers all of its API with a masked 500. */
  isBroken: boolean
  nextId: number
}

/** Who a request comes from; `undefined`: nobody that Harbor knows. */
export interface Caller {
  readonly username: string
  readonly account: Account
}

export function callerOf(state: State, request: IncomingMessage): Caller | undefined {
  const { authorization = '' } = request.headers
  const [scheme = '', value = ''] = authorization.split(' ')
  if (scheme === 'Bearer') return named(state, state.tokens.get(value) ?? '')
  const [username = '', ...password] = Buffer.from(value, 'base64').toString().split(':')
  const caller = named(state, username)
  return scheme === 'Basic' && caller?.account.password === password.join(':') ? caller : undefined
}

function named(state: State, username: string): Caller | undefined {
  const account = state.accounts.get(username)
  return account && { username, account }
}

export function may(caller: Caller | undefined, project: string, right: string): boolean {
  const rights = caller?.account.rights ?? []
  return rights.includes('*') || rights.includes(`${project}/${right}`)
}

export function errorBody(code: string, message: string): unknown {
  return { errors: [{ code, message }] }
}

export function send(response: ServerResponse, status: number, body?: unknown, headers: Record<string, string> = {}) {
  response.writeHead(status, { 'content-type': 'application/json', 'x-request-id': 'request-1', ...headers })
  response.end(body === undefined ? undefined : JSON.stringify(body))
}

/** As Harbor's selectors do for the patterns used here: `*`, `**` and `{a,b}`. */
export function matches(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^$()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replace(/\{([^}]*)\}/g, (_, inside: string) => `(?:${inside.replaceAll(',', '|')})`)
  return new RegExp(`^${source}$`).test(text)
}

export function isImmutable(project: FakeProject, repository: string, tag: string): boolean {
  return project.rules.some((rule) => {
    const {
      disabled,
      tag_selectors: tags,
      scope_selectors: scopes,
    } = rule as {
      readonly disabled: boolean
      readonly tag_selectors: readonly { readonly pattern: string }[]
      readonly scope_selectors: { readonly repository: readonly { readonly pattern: string }[] }
    }
    if (disabled) return false
    return matches(scopes.repository[0]?.pattern ?? '', repository) && matches(tags[0]?.pattern ?? '', tag)
  })
}

export function splitName(full: string): readonly [project: string, name: string] {
  const [project = '', ...rest] = full.split('/')
  return [project, rest.join('/')]
}
