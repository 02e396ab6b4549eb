import { describe, expect, it } from 'vitest'
import type { Protection, Registry } from '../../contracts/v1/registry.js'
import { type MemoryRegistry, memoryRegistry } from '../memory-registry.js'
import { failuresOf } from './mutants.js'
import { registryKit } from './registry.js'

const cases = {
  tells: 'says of each image that it is to protect whether it is kept, or why not',
  tags: 'protects by tags of its own, and lets go of what is no more named',
  again: 'protects again without a change, and all images stay readable',
  clears: 'clears away what is not protected, and nothing else',
}

/** The memory registry, which protects by tags here, as a plain registry has to. */
function tagging(inner: MemoryRegistry): MemoryRegistry {
  return {
    ...inner,
    async protect(repository, digests) {
      const { tags, manifests } = inner.images(repository)
      const kept: string[] = []
      const missing: string[] = []
      for (const tag of tags.keys()) if (tag.startsWith('keep-')) tags.delete(tag)
      for (const digest of new Set(digests)) {
        const found = manifests.get(digest)
        if (found) tags.set(`keep-${digest.slice(7, 19)}`, found)
        ;(found ? kept : missing).push(digest)
      }
      return { by: 'keep-tags', kept, notKept: missing.map((digest) => ({ digest, because: 'it is not there' })) }
    },
  }
}

describe.each([
  ['in a folder', (inner: MemoryRegistry) => inner],
  ['by tags', tagging],
])('a registry that protects %s', (_, variant) => {
  const registry = variant(memoryRegistry())
  const clearAway = async (repository: string) => registry.clearAway(repository)
  for (const one of registryKit({ registry: () => registry, clearAway })) it(one.name, one.run)
})

type Mutant = (inner: MemoryRegistry) => Registry['protect']
const wrapped =
  (change: (answer: Protection) => Partial<Protection>): Mutant =>
  (inner) =>
  async (repository, digests, context) => {
    const answer = await inner.protect(repository, digests, context)
    return { ...answer, ...change(answer) }
  }

const mutants: readonly (readonly [what: string, caught: string, mutant: Mutant])[] = [
  [
    'says that it keeps what it does not have',
    cases.tells,
    () => async (_, digests) => ({ by: 'folder', kept: [...new Set(digests)], notKept: [] }),
  ],
  ['says nothing of what it could not keep', cases.tells, wrapped(() => ({ notKept: [] }))],
  [
    'gives no reason',
    cases.tells,
    wrapped(({ notKept }) => ({ notKept: notKept.map((one) => ({ ...one, because: '' })) })),
  ],
  ['names twice what was asked for twice', cases.tells, wrapped(({ kept }) => ({ kept: [...kept, ...kept] }))],
  [
    'rejects where one is missing',
    cases.tells,
    (inner) => async (repository, digests, context) => {
      const answer = await inner.protect(repository, digests, context)
      if (answer.notKept.length > 0) throw new Error('not all are there')
      return answer
    },
  ],
  [
    'says that it has tagged and has not',
    cases.tags,
    () => async (_, digests) => ({ by: 'keep-tags', kept: [...new Set(digests)], notKept: [] }),
  ],
  [
    'never lets go',
    cases.tags,
    (inner) => async (repository, digests, context) => {
      const { tags } = inner.images(repository)
      const before = [...tags]
      const answer = await inner.protect(repository, digests, context)
      for (const [tag, image] of before) tags.set(tag, image)
      return answer
    },
  ],
  [
    'lets go of tags of people',
    cases.tags,
    (inner) => async (repository, digests, context) => {
      inner.images(repository).tags.clear()
      return inner.protect(repository, digests, context)
    },
  ],
  [
    'gives another tag every time',
    cases.again,
    (inner) => {
      let time = 0
      return async (repository, digests, context) => {
        const answer = await inner.protect(repository, digests, context)
        const { tags } = inner.images(repository)
        time += 1
        for (const [tag, image] of tags)
          if (tag.startsWith('keep-') && tags.delete(tag)) tags.set(`kept-${time}`, image)
        return answer
      }
    },
  ],
  [
    'removes what it lets go of',
    cases.again,
    (inner) => async (repository, digests, context) => {
      const { manifests } = inner.images(repository)
      const answer = await inner.protect(repository, digests, context)
      for (const digest of manifests.keys()) if (!digests.includes(digest)) manifests.delete(digest)
      return answer
    },
  ],
  [
    'protects only what it says, not what it does',
    cases.clears,
    () => async (_, digests) => ({ by: 'folder', kept: digests, notKept: [] }),
  ],
]

describe('a registry that', () => {
  it.each(mutants)('%s is caught: %s', async (_, caught, mutant) => {
    const inner = tagging(memoryRegistry())
    const protect = mutant(inner)
    const registry = { ...inner, ...(protect && { protect }) }
    const clearAway = async (repository: string) => inner.clearAway(repository)
    expect([...(await failuresOf(registryKit({ registry: () => registry, clearAway }), caught)).keys()]).toEqual([
      caught,
    ])
  })

  it('keeps what it was to let go of is caught', async () => {
    const inner = memoryRegistry()
    const all = new Set<string>()
    const protect: Registry['protect'] = async (repository, digests, context) => {
      for (const digest of digests) all.add(digest)
      return inner.protect(repository, [...all], context)
    }
    const kit = registryKit({
      registry: () => ({ ...inner, protect }),
      clearAway: async (repository) => inner.clearAway(repository),
    })
    expect([...(await failuresOf(kit, cases.clears)).keys()]).toEqual([cases.clears])
  })
})

describe('a kit that is to tidy', () => {
  it('leaves no tag and nothing protected behind, also of a case that failed', async () => {
    const inner = memoryRegistry()
    const repositories = new Set<string>()
    const registry = {
      ...inner,
      sink: (repository: string) => {
        repositories.add(repository)
        return inner.sink(repository)
      },
      check: () => Promise.reject(new Error('no case passes that checks')),
    }
    for (const one of registryKit({ registry: () => registry, tidy: true })) await one.run().catch(() => undefined)
    const left = [...repositories].flatMap((name) => [...inner.images(name).tags.keys(), ...inner.protected(name)])
    expect(repositories.size).toBeGreaterThan(10)
    expect(left).toEqual([])
  })
})
