import { registryKit } from '@kiwi/core/testing'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { type Harbor, harbor } from './index.js'
import { robotAccess } from './robots.js'
import { type FakeHarbor, fakeHarbor } from './testing/fake-harbor.js'

const secrets = { ROBOT: 'Right-Passw0rd' }
let server: FakeHarbor
let registry: Harbor
beforeAll(async () => {
  const own = Object.values(robotAccess).flat()
  const rights = own.map((right) => `team/${right}`)
  server = await fakeHarbor({ 'robot$team+ci': { kind: 'robot', password: secrets.ROBOT, rights } })
  server.project('team')
  const credentials = { username: 'robot$team+ci', password: { secret: 'ROBOT' } }
  registry = harbor({ host: server.host, plainHttp: true, credentials })
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

/** Harbor's garbage collection with “delete untagged artifacts”. */
async function clearAway(repository: string) {
  const artifacts = server.state.projects.get('team')?.repositories.get(repository.replace('team/', ''))
  for (const [digest, { tags }] of artifacts ?? []) if (tags.size === 0) artifacts?.delete(digest)
}

describe('Harbor keeps the contract of a registry', () => {
  for (const one of registryKit({ registry: () => registry, prefix: 'team/', secrets, clearAway }))
    test(one.name, one.run)
})
