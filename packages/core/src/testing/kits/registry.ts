import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Registry } from '../../contracts/v1/registry.js'
import { KiwiError } from '../../errors/kiwi-error.js'
import { pipe } from '../../image/pipe.js'
import { parseReference } from '../../image/reference.js'
import { testContext } from '../context.js'
import { randomImage } from '../random-image.js'
import { isProbe, rejects } from './expect.js'
import { imageEndsKit } from './image-ends.js'
import type { KitCase } from './kit.js'
import { tidied } from './tidy.js'

export interface RegistryKitOptions {
  /** The registry of one case: always the same one, or a new one each time. May be pushed to. */
  registry(): Registry | Promise<Registry>
  /** Where the kit may make repositories (`project/`). Default: anywhere. */
  readonly prefix?: string | undefined
  /** The values of secrets that the registry was told the names of. */
  readonly secrets?: Readonly<Record<string, string>> | undefined
  /** Changes a stored blob behind the registry's back; see `imageEndsKit`. */
  readonly damage?: ((digest: string) => Promise<void>) | undefined
  /** Has the registry clear away what it does not protect, as its own rules would (untagged manifests, garbage). */
  readonly clearAway?: ((repository: string) => Promise<void>) | undefined
  /** Removes the tagged images that a case has made, after it, where the registry may; cases must then run one after the other. */
  readonly tidy?: boolean | undefined
}

interface Bench {
  readonly registry: Registry
  /** A name that is in use by no other case. */
  readonly repository: string
  readonly context: ReturnType<typeof testContext>
}

/**
 * What every registry keeps of its contract, also as both ends of `pipe`. Each case has repositories of its own, which are left there unless `tidy`.
 * @example for (const one of registryKit({ registry: () => ociRegistry({ host }) })) it(one.name, one.run)
 */
export function registryKit(options: RegistryKitOptions): readonly KitCase[] {
  const { prefix = '', secrets } = options
  const made: { readonly registry: Registry; readonly repository: string }[] = []
  const bench = async (): Promise<Bench> => {
    const registry = await options.registry()
    const repository = `${prefix}kit-${randomBytes(6).toString('hex')}`
    for (const suffix of ['', '-other', '-trial']) made.push({ registry, repository: `${repository}${suffix}` })
    return { registry, repository, context: testContext({ secrets }) }
  }
  const one = (name: string, check: (bench: Bench) => Promise<void>): KitCase => ({
    name,
    run: async () => check(await bench()),
  })
  const ends = async () => {
    const { registry, repository, context } = await bench()
    const withSecrets = sinkWith(registry.sink(repository), context)
    const source = ({ digest }: { digest: string }) => registry.source({ repository, reference: digest }, context)
    return { sink: withSecrets, source }
  }
  const cases = [
    one('says in a probe what answers', async ({ registry, context }) => {
      isProbe(await registry.probe(context), 'the registry')
      assert.equal(registry.contract, 'registry/v1')
    }),
    one('proves the right to push and to pull', async ({ registry, repository, context }) => {
      await registry.check(repository, 'push', context)
      await pipe(await randomImage(), registry.sink(repository), {}, context)
      await registry.check(repository, 'pull', context)
    }),
    one('finds an image by tag and by digest', async ({ registry, repository, context }) => {
      const { root } = await pushed({ registry, repository, context }, 'v1')
      for (const reference of ['v1', root.digest]) {
        const { mediaType, digest, size } = (await registry.resolve({ repository, reference }, context)) ?? {}
        assert.deepEqual({ mediaType, digest, size }, root, reference)
        assert.equal((await registry.source({ repository, reference }, context)).root.digest, root.digest)
      }
    }),
    one('says undefined of what is certainly not there', async (given) => {
      const { registry, repository, context } = given
      await pushed(given, 'v1')
      const digest = `sha256:${'0'.repeat(64)}`
      for (const place of [
        { repository, reference: 'v2' },
        { repository, reference: digest },
        { repository: `${repository}-other`, reference: 'v1' },
      ]) {
        assert.equal(await registry.resolve(place, context), undefined)
        await rejects(registry.source(place, context), 'reading it', { codes: ['MANIFEST_UNKNOWN'] })
      }
    }),
    one('moves a tag, and keeps the image that had it', async (given) => {
      const { registry, repository, context } = given
      const first = await pushed(given, 'latest')
      const second = await pushed(given, 'latest')
      const digestAt = async (reference: string) => (await registry.resolve({ repository, reference }, context))?.digest
      assert.equal(await digestAt('latest'), second.root.digest)
      assert.equal(await digestAt(first.root.digest), first.root.digest)
    }),
    one('keeps repositories apart', async (given) => {
      const { registry, repository, context } = given
      const { root } = await pushed(given, 'v1')
      await pushed({ ...given, repository: `${repository}-other` }, 'v1')
      const place = { repository: `${repository}-other`, reference: root.digest }
      assert.equal(await registry.resolve(place, context), undefined)
    }),
    one('refuses names that are none before it asks', async ({ registry, repository, context }) => {
      for (const place of [
        { repository, reference: '../v1' },
        { repository, reference: 'sha256:short' },
        { repository: 'Web', reference: 'v1' },
        { repository: '../web', reference: 'v1' },
      ])
        await rejects(registry.resolve(place, context), JSON.stringify(place), { codes: ['IMAGE_REFERENCE_INVALID'] })
    }),
    one('has an address that an engine can pull', async ({ registry, repository }) => {
      const { host, repository: path } = parseReference(registry.address(repository))
      assert.ok(host !== undefined && path.endsWith(repository), registry.address(repository))
    }),
    one('lists all tags, where it says that it can', async (given) => {
      const { registry, repository, context } = given
      if (!registry.tags) return
      assert.deepEqual(await Array.fromAsync(registry.tags(repository, context)), [])
      for (const tag of ['v1', 'v2', 'main-a1b2c3d']) await pushed(given, tag)
      await pushed(given)
      const tags = await Array.fromAsync(registry.tags(repository, context))
      assert.deepEqual(tags.sort(), ['main-a1b2c3d', 'v1', 'v2'])
    }),
    one('removes an image with its tags and no other, where it says that it can, or says that it may not', removes),
    one(
      'removes one tag and leaves the image to the others, where it says that it can, or says that it may not',
      untags,
    ),
    one('says of each image that it is to protect whether it is kept, or why not', tellsProtected),
    one('protects by tags of its own, and lets go of what is no more named', protectsByTags),
    one('protects again without a change, and all images stay readable', protectsAgain),
    one('clears away what is not protected, and nothing else', (given) => survives(given, options.clearAway)),
    ...imageEndsKit({ ends, damage: options.damage }),
  ]
  return options.tidy ? tidied(cases, made, secrets) : cases
}

async function pushed({ registry, repository, context }: Bench, tag?: string) {
  const image = await randomImage({ layers: 1 })
  assert.deepEqual(await pipe(image, registry.sink(repository), { tag }, context), image.root)
  return image
}

async function removes(given: Bench): Promise<void> {
  const { registry, repository, context } = given
  if (!registry.remove) return
  const kept = await pushed(given, 'kept')
  const { root } = await pushed(given, 'gone')
  const at = (reference: string) => registry.resolve({ repository, reference }, context)
  const place = { repository, reference: root.digest }
  const removed = await registry.remove(place, context).catch((error: unknown) => {
    assert.ok(KiwiError.is(error) && error.code === 'REGISTRY_DENIED', String(error))
    assert.equal(error.effect, 'none')
  })
  if (removed === undefined) return assert.deepEqual((await at('gone'))?.digest, root.digest)
  assert.equal(removed, true)
  assert.deepEqual([await at(root.digest), await at('gone')], [undefined, undefined])
  assert.equal((await at('kept'))?.digest, kept.root.digest)
  assert.equal(await registry.remove(place, context), false, 'it was removed twice')
}

async function untags(given: Bench): Promise<void> {
  const { registry, repository, context } = given
  if (!registry.remove) return
  const image = await pushed(given, 'one')
  await pipe(image, registry.sink(repository), { tag: 'other' }, context)
  const at = async (reference: string) => (await registry.resolve({ repository, reference }, context))?.digest
  const removed = await registry.remove({ repository, reference: 'one' }, context).catch((error: unknown) => {
    assert.ok(KiwiError.is(error) && error.code === 'REGISTRY_DENIED', String(error))
  })
  if (removed !== undefined) assert.deepEqual([removed, await at('one')], [true, undefined])
  assert.deepEqual([await at('other'), await at(image.root.digest)], [image.root.digest, image.root.digest])
}

async function tellsProtected(given: Bench): Promise<void> {
  const { registry, repository, context } = given
  if (!registry.protect) return
  const tagged = await pushed(given, 'v1')
  const untagged = await pushed(given)
  const missing = `sha256:${'0'.repeat(64)}`
  const asked = [tagged.root.digest, untagged.root.digest, missing, tagged.root.digest]
  const { kept, notKept } = await registry.protect(repository, asked, context)
  assert.deepEqual([...kept].sort(), [tagged.root.digest, untagged.root.digest].sort(), 'what was kept, each once')
  assert.deepEqual(
    notKept.map(({ digest }) => digest),
    [missing],
  )
  assert.ok(notKept.every(({ because }) => because !== ''))
  const nowhere = await registry.protect(`${repository}-other`, [missing], context)
  assert.deepEqual([nowhere.kept, nowhere.notKept.map(({ digest }) => digest)], [[], [missing]])
}

async function protectsByTags(given: Bench): Promise<void> {
  const { registry, repository, context } = given
  if (!registry.protect || !registry.tags) return
  const [first, second, third] = [await pushed(given, 'v1'), await pushed(given), await pushed(given, 'v3')]
  const digests = [first.root.digest, second.root.digest]
  const { by, kept } = await registry.protect(repository, digests, context)
  assert.deepEqual([...kept].sort(), digests.toSorted())
  if (by !== 'keep-tags') return
  const named = await digestsByTag(given)
  const own = Object.keys(named).filter((tag) => !['v1', 'v3'].includes(tag))
  assert.deepEqual(own.map((tag) => named[tag]).sort(), digests.toSorted(), 'a tag of its own for each digest')
  assert.deepEqual([named.v1, named.v3], [first.root.digest, third.root.digest], 'tags of people were moved')
  await registry.protect(repository, [second.root.digest], context)
  const later = await digestsByTag(given)
  const right = await mayRemove(given)
  const ownLater = Object.keys(later).filter((tag) => !['v1', 'v3'].includes(tag))
  const expected = right ? [second.root.digest] : digests
  assert.deepEqual(ownLater.map((tag) => later[tag]).sort(), expected.toSorted(), 'what was let go of')
  assert.deepEqual([later.v1, later.v3], [first.root.digest, third.root.digest], 'tags of people went')
}

async function protectsAgain(given: Bench): Promise<void> {
  const { registry, repository, context } = given
  if (!registry.protect) return
  const images = [await pushed(given, 'v1'), await pushed(given), await pushed(given, 'v3')]
  const digests = images.map(({ root }) => root.digest)
  const first = await registry.protect(repository, digests.slice(0, 2), context)
  const tags = await digestsByTag(given)
  const second = await registry.protect(repository, digests.slice(0, 2).reverse(), context)
  assert.deepEqual([...second.kept].sort(), [...first.kept].sort())
  assert.deepEqual(await digestsByTag(given), tags)
  assert.deepEqual((await registry.protect(repository, [], context)).kept, [])
  for (const [index, digest] of digests.entries()) {
    const found = await registry.resolve({ repository, reference: digest }, context)
    assert.equal(found?.digest, digest, `letting go removed image ${index}`)
  }
  for (const reference of ['v1', 'v3'])
    assert.ok(await registry.resolve({ repository, reference }, context), `letting go removed the tag ${reference}`)
}

async function survives(given: Bench, clearAway: RegistryKitOptions['clearAway']): Promise<void> {
  const { registry, repository, context } = given
  if (!registry.protect || !clearAway) return
  const tagged = await pushed(given, 'v1')
  const [kept, loose] = [await pushed(given), await pushed(given)]
  const there = async ({ root }: { readonly root: { readonly digest: string } }) =>
    (await registry.resolve({ repository, reference: root.digest }, context)) !== undefined
  await registry.protect(repository, [kept.root.digest], context)
  await clearAway(repository)
  assert.deepEqual([await there(tagged), await there(kept)], [true, true], 'a tagged or a protected image is gone')
  const cleared = !(await there(loose)) // some clear away later than others
  await registry.protect(repository, [], context)
  await clearAway(repository)
  assert.equal(await there(tagged), true, 'a tagged image is gone')
  if (cleared) assert.equal(await there(kept), false, 'what was let go of is still kept')
}

async function digestsByTag({ registry, repository, context }: Bench): Promise<Record<string, string | undefined>> {
  const tags = registry.tags ? await Array.fromAsync(registry.tags(repository, context)) : []
  const found = tags.map(async (reference) => {
    const image = await registry.resolve({ repository, reference }, context)
    return [reference, image?.digest] as const
  })
  return Object.fromEntries(await Promise.all(found))
}

/** Found out in a repository of its own. */
async function mayRemove(given: Bench): Promise<boolean> {
  const { registry, context } = given
  const repository = `${given.repository}-trial`
  const { root } = await pushed({ ...given, repository }, 'trial')
  const removed = registry.remove?.({ repository, reference: root.digest }, context) ?? Promise.resolve(false)
  return removed.catch(() => false)
}

/** The image kit's own contexts know no secrets. */
function sinkWith(sink: ReturnType<Registry['sink']>, { secret }: Bench['context']): ReturnType<Registry['sink']> {
  return {
    ...(sink.retag && {
      retag: async (bytes, options, context) => sink.retag?.(bytes, options, { ...context, secret }),
    }),
    has: (descriptor, context) => sink.has(descriptor, { ...context, secret }),
    blob: (upload, context) => sink.blob(upload, { ...context, secret }),
    manifest: (bytes, options, context) => sink.manifest(bytes, options, { ...context, secret }),
  }
}
