import { digestOf, KiwiError } from '@kiwi/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { context, type Opened, openedHub } from './testing/opened.js'

let hub: Opened
beforeEach(async () => {
  hub = await openedHub()
})
afterEach(async () => {
  await hub[Symbol.asyncDispose]()
  expect(hub.server.strange).toEqual([]) // nothing was asked that Docker does not describe
})

describe.each(['acme', 'company'])('with the token of %s', (name) => {
  const repository = `${name}/web`

  test('a tag goes, and the others stay', async () => {
    await hub.push(repository, 'v1', 'v2')
    const registry = hub.open(name)
    expect(await registry.remove({ repository, reference: 'v1' }, context())).toBe(true)
    expect([...(await hub.server.tags(repository)).keys()]).toEqual(['v2'])
    expect(await registry.remove({ repository, reference: 'v1' }, context())).toBe(false)
  })

  test.each([true, false])('an image goes with all its tags (digests are listed: %s)', async (listsDigests) => {
    hub.server.state.listsDigests = listsDigests
    const reference = await hub.push(repository, 'v1', 'v2')
    await hub.push(repository, 'other')
    const registry = hub.open(name)
    expect(await registry.remove({ repository, reference }, context())).toBe(true)
    expect([...(await hub.server.tags(repository)).keys()]).toEqual(['other'])
    expect(await registry.resolve({ repository, reference }, context())).toBeUndefined()
  })
})

describe('an image', () => {
  const repository = 'acme/web'

  test('that Docker Hub takes longer to remove counts as removed', async () => {
    hub.server.state.deletesManifests = 'later'
    const reference = await hub.push(repository, 'v1')
    expect(await hub.open('acme').remove({ repository, reference }, context())).toBe(true)
  })

  test('stays with its tags where Docker Hub removes no manifests, and it is told how', async () => {
    hub.server.state.deletesManifests = 'never'
    const reference = await hub.push(repository, 'v1')
    await expect(hub.open('acme').remove({ repository, reference }, context())).rejects.toMatchObject({
      code: 'REGISTRY_DENIED',
      message: expect.stringContaining('docker.io deletes no manifests here'),
      hint: expect.stringContaining('Remove its tags by name'),
    })
    expect([...(await hub.server.tags(repository)).keys()]).toEqual(['v1'])
  })

  test('that an index has as a part stays, and it is told to remove the index first', async () => {
    const reference = await hub.push(repository, 'v1')
    await hub.open('acme').remove({ repository, reference: 'v1' }, context())
    hub.server.state.referredTo.add(reference)
    const error = await hub.open('acme').remove({ repository, reference }, context()).catch(KiwiError.from)
    expect(error).toMatchObject({
      code: 'REGISTRY_DENIED',
      effect: 'none',
      message: expect.stringContaining('it has no tag, so another image refers to it'),
      hint: expect.stringContaining('Remove the index'),
    })
  })

  test('whose tags are gone when the index keeps it is told as changed', async () => {
    const reference = await hub.push(repository, 'v1')
    hub.server.state.referredTo.add(reference)
    await expect(hub.open('acme').remove({ repository, reference }, context())).rejects.toMatchObject({
      effect: 'done',
      message: expect.stringContaining('its tags are gone, but'),
      evidence: { removedTags: ['v1'] },
    })
  })

  test('of which some tags could be removed names them', async () => {
    const reference = await hub.push(repository, 'v1', 'v2')
    hub.server.state.keptTags.add('v2')
    await expect(hub.open('acme').remove({ repository, reference }, context())).rejects.toMatchObject({
      code: 'REGISTRY_DENIED',
      effect: 'done',
      message: expect.stringContaining('(these tags are removed: v1)'),
    })
  })

  test('that is not there is told as that', async () => {
    hub.server.repository(repository)
    const reference = digestOf(Buffer.from('nothing'))
    expect(await hub.open('acme').remove({ repository, reference }, context())).toBe(false)
  })
})

test('a token that may not remove is told what it takes', async () => {
  await hub.push('writer/web', 'v1')
  await expect(
    hub.open('writer').remove({ repository: 'writer/web', reference: 'v1' }, context()),
  ).rejects.toMatchObject({ code: 'REGISTRY_DENIED', hint: expect.stringContaining('Read, Write, Delete') })
})
