import { type Context, type Digest, type Json, KiwiError, type Protection } from '@kiwi/core'
import type { Client } from '../client.js'
import { protectByTags } from '../protect.js'
import { numberOf, type Shape, shapeOf, shapesOf, textOf } from '../shape.js'
import type { Api } from './api.js'
import { removeArtifact } from './artifacts.js'
import { type HarborPlace, placeOf, projectPath } from './place.js'
import { readProject } from './projects.js'

const keepTags = 'kiwi-keep-'

/**
 * Gives the digests keep-tags, and makes these last: by an immutability rule for exactly them (nobody can delete or move them, and retention
 * leaves them alone), else by a retention rule that keeps all keep-tags of the project, else by nothing more.
 */
export async function protectArtifacts(
  { api, client }: { readonly api: Api; readonly client: Client },
  repository: string,
  digests: readonly Digest[],
  context: Context,
): Promise<Protection> {
  const place = placeOf(repository)
  const by = await makeLasting(api, place, digests, context) // before the tags: those no longer in the rule can be removed
  const remove = (tagged: { readonly repository: string; readonly reference: string }) =>
    removeArtifact(api, tagged, context)
  return { ...(await protectByTags(client, repository, digests, context, remove)), by }
}

async function makeLasting(
  api: Api,
  place: HarborPlace,
  digests: readonly Digest[],
  context: Context,
): Promise<Protection['by']> {
  if (await allowed(() => setImmutable(api, place, digests, context), context)) return 'immutable-tags'
  if (await allowed(() => exempt(api, place, context), context)) return 'retention-exemption'
  return 'keep-tags'
}

/** Whether it was done; a missing right is not a failure here. */
async function allowed(work: () => Promise<boolean>, context: Context): Promise<boolean> {
  try {
    return await work()
  } catch (error) {
    context.signal.throwIfAborted()
    if (KiwiError.is(error) && error.code === 'REGISTRY_DENIED') return false
    throw error
  }
}

/** One rule for each repository, which names the tags one by one: what is not named any more can be removed. */
async function setImmutable(
  api: Api,
  place: HarborPlace,
  digests: readonly Digest[],
  context: Context,
): Promise<boolean> {
  const path = `${projectPath(place.project)}/immutabletagrules`
  const doing = `make tags of ${place.project}/${place.name} immutable`
  const [own, ...more] = await ownRules(api, path, place, context)
  for (const { id } of digests.length === 0 && own ? [own, ...more] : more) {
    await api.send({ method: 'DELETE', path: `${path}/${id}`, expect: [200, 404], doing }, context)
  }
  if (digests.length === 0) return true
  const pattern = patternOf(digests)
  if (!own) {
    await api.send({ method: 'POST', path, body: ruleOf(place, pattern), expect: [201], doing }, context)
    return true
  }
  // a switch and a new pattern are two changes: Harbor carries out only the first of them in one call
  const body = { ...ruleOf(place, pattern), id: own.id }
  const put = { method: 'PUT', path: `${path}/${own.id}`, body, expect: [200], doing } as const
  if (own.isDisabled) await api.send(put, context)
  if (own.isDisabled || own.pattern !== pattern) await api.send(put, context)
  return true
}

interface OwnRule {
  readonly id: number
  readonly pattern: string
  readonly isDisabled: boolean
}

async function ownRules(api: Api, path: string, { name }: HarborPlace, context: Context): Promise<readonly OwnRule[]> {
  const rules: OwnRule[] = []
  for await (const rule of api.list({ path, doing: 'read the immutability rules' }, context)) {
    const pattern = textOf(firstOf(rule.tag_selectors), 'pattern') ?? ''
    const repository = textOf(firstOf(shapeOf(rule.scope_selectors).repository), 'pattern')
    const id = numberOf(rule, 'id')
    if (repository !== name || !isOwn(pattern) || id === undefined) continue
    rules.push({ id, pattern, isDisabled: rule.disabled === true })
  }
  return rules
}

/** A rule that somebody else wrote names other tags, too. */
function isOwn(pattern: string): boolean {
  return (
    pattern
      .replace(/^\{|\}$/g, '')
      .split(',')
      .every((one) => one.startsWith(keepTags)) && pattern !== `${keepTags}*`
  )
}

/** The names of keep-tags begin with twelve digits of the digest. */
function patternOf(digests: readonly Digest[]): string {
  const tags = [...new Set(digests)].map(
    (digest) => `${keepTags}${digest.slice(digest.indexOf(':') + 1).slice(0, 12)}*`,
  )
  const sorted = [...new Set(tags)].sort()
  return sorted.length === 1 ? (sorted[0] ?? '') : `{${sorted.join(',')}}`
}

function ruleOf({ name }: HarborPlace, pattern: string) {
  return {
    disabled: false,
    action: 'immutable',
    template: 'immutable_template',
    tag_selectors: [{ kind: 'doublestar', decoration: 'matches', pattern }],
    scope_selectors: { repository: [{ kind: 'doublestar', decoration: 'repoMatches', pattern: name }] },
  }
}

/** False where the project has no retention policy: nothing clears tags away there. */
async function exempt(api: Api, { project }: HarborPlace, context: Context): Promise<boolean> {
  const { retentionId } = await readProject(api, project, context)
  if (retentionId === undefined) return false
  const doing = `exempt Kiwi’s tags from the retention policy of ${project}`
  const path = `/retentions/${retentionId}`
  const policy = shapeOf(await api.json({ method: 'GET', path, expect: [200], doing }, context))
  const rules = shapesOf(policy.rules)
  if (rules.some(isExemption)) return true
  const body = { ...policy, rules: [...rules, exemption] } as Json // it came as JSON
  await api.send({ method: 'PUT', path, body, expect: [200], doing }, context)
  return true
}

const exemption = {
  disabled: false,
  action: 'retain',
  template: 'always',
  params: {},
  tag_selectors: [{ kind: 'doublestar', decoration: 'matches', pattern: `${keepTags}*`, extras: '{"untagged":false}' }],
  scope_selectors: { repository: [{ kind: 'doublestar', decoration: 'repoMatches', pattern: '**' }] },
}

function isExemption(rule: Shape): boolean {
  const tags = firstOf(rule.tag_selectors)
  const repositories = firstOf(shapeOf(rule.scope_selectors).repository)
  const isForAll = textOf(repositories, 'pattern') === '**' && textOf(repositories, 'decoration') === 'repoMatches'
  return isForAll && rule.disabled !== true && rule.template === 'always' && textOf(tags, 'pattern') === `${keepTags}*`
}

function firstOf(value: unknown): Shape {
  return shapesOf(value)[0] ?? {}
}
