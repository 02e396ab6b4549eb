import { inspect } from 'node:util'
import { KiwiError } from '@kiwi/core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { context, type Opened, openedHub } from './testing/opened.js'

let hub: Opened
beforeEach(async () => {
  hub = await openedHub()
})
afterEach(async () => {
  await hub[Symbol.asyncDispose]()
  expect(hub.server.strange).toEqual([]) // nothing was asked that Docker does not describe
})

const denied = (message: string, hint?: string) => ({
  code: 'REGISTRY_DENIED',
  message: expect.stringContaining(message),
  ...(hint !== undefined && { hint: expect.stringContaining(hint) }),
})

test('nobody who pulls what is private or missing is told that it is one of both', async () => {
  hub.server.repository('acme/hidden', { isPrivate: true })
  for (const repository of ['acme/hidden', 'acme/missing'])
    await expect(hub.open().check(repository, 'pull', context())).rejects.toMatchObject({
      code: 'REGISTRY_UNAUTHORIZED',
      message: expect.stringContaining('it is private, or there is none'),
      evidence: { repository },
    })
})

test('nobody who pushes is asked for credentials', async () => {
  hub.server.repository('acme/web')
  await expect(hub.open().check('acme/web', 'push', context())).rejects.toMatchObject({
    code: 'REGISTRY_UNAUTHORIZED',
    message: expect.stringContaining('none are configured'),
  })
})

test('a wrong token is told as that, with what may be wrong with it and without itself', async () => {
  const error = await hub.open('acme', 'WRONG').check('acme/web', 'push', context()).catch(KiwiError.from)
  expect(error).toMatchObject({
    code: 'REGISTRY_UNAUTHORIZED',
    hint: expect.stringContaining('only access tokens are taken'),
    evidence: { user: 'acme' },
  })
  expect(inspect(error, { depth: 9 })).not.toContain('Wrong-1')
})

test.each(['insufficient scope', 'denied'] as const)(
  'a token that allows less than its user is told as that, where the registry says %s',
  async (denies) => {
    hub.server.state.denies = denies
    hub.server.repository('reader/web')
    await expect(hub.open('reader').check('reader/web', 'push', context())).rejects.toMatchObject(
      denied('reader may do it, but not with this access token', 'Read & Write'),
    )
  },
)

test('a user who may only read is told so', async () => {
  hub.server.repository('acme/web', { members: { dana: 'read' } })
  await expect(hub.open('dana').check('acme/web', 'push', context())).rejects.toMatchObject(
    denied('the repository is there, and dana may only read it'),
  )
})

test('a repository of one’s own that the token may not make is told as that', async () => {
  await expect(hub.open('reader').check('reader/new', 'push', context())).rejects.toMatchObject(
    denied('there is no such repository yet, and this access token may not make it', 'Read & Write'),
  )
})

test('a namespace of others is named, to those who push with what else they can do', async () => {
  hub.server.repository('acme/hidden', { isPrivate: true })
  const why = "the namespace acme is not dana's"
  await expect(hub.open('dana').check('acme/hidden', 'push', context())).rejects.toMatchObject(
    denied(why, 'push to a namespace of your own'),
  )
  const pulling = await hub.open('dana').check('acme/hidden', 'pull', context()).catch(KiwiError.from)
  expect(pulling).toMatchObject(denied(why))
  expect(String(KiwiError.from(pulling).hint)).not.toContain('namespace of your own')
})

test('a refusal of a call that was cancelled is not looked into', async () => {
  const controller = new AbortController()
  const checking = hub.open('dana').check('acme/web', 'push', { ...context(), signal: controller.signal })
  controller.abort(new Error('enough'))
  await expect(checking).rejects.toThrow('enough')
  expect(hub.server.seen.filter((line) => line.includes('hub.docker.com'))).toEqual([])
})
