import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KiwiError } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { layerOf } from '../layers/testing.js'
import { defaultPath } from './draft.js'
import { localBuilder } from './local-builder.js'
import { architecture, type Bench, bench } from './testing.js'

let at: Bench
beforeEach(() => {
  at = bench()
})
afterEach(() => at[Symbol.dispose]())

describe('the image’s configuration', () => {
  it('comes from the base, and from each instruction with the values before it', async () => {
    await at.base('base', [layerOf(['x', 'x'])], {
      Env: ['PATH=/bin', 'abc=hello'],
      Cmd: ['base'],
      Labels: { from: 'base' },
      ExposedPorts: { '1/tcp': {} },
      User: 'root',
    })
    const { config } = await at.build(
      `ARG VERSION=1
FROM base
ARG VERSION
ARG OTHER=\${VERSION:-none}-x
ARG abc=never
ENV abc=bye def=$abc ghi="$OTHER and $abc"
LABEL who=\${def} "two words"=x
WORKDIR /a
WORKDIR b/\${VERSION}
EXPOSE 80 8000-8001/udp
VOLUME /data /more
USER 10:20
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --retries=2 CMD wget localhost
CMD run it`,
      { args: { VERSION: '2' }, labels: { revision: 'abc' } },
    )
    expect(config.config).toEqual({
      Env: ['PATH=/bin', 'abc=bye', 'def=hello', 'ghi=2-x and hello'],
      Cmd: ['/bin/sh', '-c', 'run it'],
      Labels: { from: 'base', who: 'hello', 'two words': 'x', revision: 'abc' },
      WorkingDir: '/a/b/2',
      ExposedPorts: { '1/tcp': {}, '80/tcp': {}, '8000/udp': {}, '8001/udp': {} },
      Volumes: { '/data': {}, '/more': {} },
      User: '10:20',
      StopSignal: 'SIGINT',
      Healthcheck: { Test: ['CMD-SHELL', 'wget localhost'], Interval: 5e9, Retries: 2 },
    })
  })

  it('forgets an inherited CMD at ENTRYPOINT, and keeps the stage’s own', async () => {
    await at.base('base', [], { Cmd: ['inherited'], Env: ['PATH=/bin'] })
    expect((await at.build('FROM base\nENTRYPOINT ["e"]')).config.config).toEqual({
      Entrypoint: ['e'],
      Env: ['PATH=/bin'],
    })
    expect((await at.build('FROM base\nCMD ["own"]\nENTRYPOINT ["e"]')).config.config).toMatchObject({ Cmd: ['own'] })
    const staged = await at.build('FROM base AS a\nCMD ["a"]\nFROM a\nENTRYPOINT ["e"]')
    expect(staged.config.config.Cmd).toBeUndefined()
  })

  it('counts the layers of the history like those of the root file system, and has one time only', async () => {
    await at.base('base', [layerOf(['x', 'x']), layerOf(['y', 'y'])])
    at.write({ z: 'z' })
    const { config, layers } = await at.build('FROM base\nENV A=1\nCOPY z /\nWORKDIR /\nWORKDIR /new\nCMD x')
    const made = config.history?.filter(({ empty_layer: empty }) => empty !== true)
    expect(made).toHaveLength(layers.length)
    expect(config.rootfs.diff_ids).toHaveLength(4)
    expect(config.history?.slice(2).map(({ created_by: by, empty_layer: empty }) => [by, empty])).toEqual([
      ['ENV A=1', true],
      ['COPY z /', undefined],
      ['WORKDIR /', true],
      ['WORKDIR /new', undefined],
      ['CMD x', true],
    ])
    expect(new Set(config.history?.slice(2).map(({ created }) => created))).toEqual(
      new Set(['2025-06-15T15:06:40.000Z']),
    )
  })

  it('runs the base’s ONBUILD once', async () => {
    at.write({ x: 'x' })
    await at.base('base', [], { OnBuild: ['COPY x /x', 'ENV A=b'], Env: ['PATH=/bin'] })
    const { config, tree, context } = await at.build('FROM base\nENV C=$A')
    expect(Object.keys(tree())).toEqual(['x'])
    expect(config.config).toEqual({ Env: ['PATH=/bin', 'A=b', 'C=b'] })
    expect(
      context.facts.flatMap((fact) =>
        fact.type === 'step-started' ? [`${fact.index}/${fact.total} ${fact.text}`] : [],
      ),
    ).toEqual(['0/4 FROM base', '1/4 COPY x /x', '2/4 ENV A=b', '3/4 ENV C=$A'])
  })

  it('knows the platform when it is asked for', async () => {
    const { config } = await at.build(
      'FROM scratch\nARG TARGETARCH\nARG TARGETPLATFORM\nENV P=$TARGETPLATFORM A=$TARGETARCH N=$TARGETOS',
    )
    expect(config.config.Env).toEqual([`PATH=${defaultPath}`, `P=linux/${architecture}`, `A=${architecture}`, 'N='])
  })
})

describe('stages', () => {
  it('that the target does not need are not built', async () => {
    at.write({ x: 'x' })
    const dockerfile = 'FROM scratch AS a\nCOPY x /a\nFROM scratch AS b\nCOPY missing /\nFROM a AS c\nCOPY x /c\n'
    const { tree, context } = await at.build(dockerfile)
    expect(Object.keys(tree())).toEqual(['a', 'c'])
    expect(context.facts.flatMap((fact) => (fact.type === 'step-started' ? [fact.step] : []))).toEqual([
      'a/1',
      'a/2',
      'c/1',
      'c/2',
    ])
    expect(Object.keys((await at.build(dockerfile, { target: 'a' })).tree())).toEqual(['a'])
  })
})

describe('the layer cache', () => {
  const dockerfile = 'FROM scratch\nWORKDIR /app\nCOPY package.json ./\nCOPY . .\nENV A=b\n'

  it('does again only what changed, and says what that was', async () => {
    at.write({ 'package.json': '{}', 'server.js': '1' })
    expect((await at.build(dockerfile)).notes).toEqual({ 2: 'first build', 3: 'first build', 4: 'first build' })
    const same = await at.build(dockerfile)
    expect(same.notes).toEqual({ 2: 'layer cache', 3: 'layer cache', 4: 'layer cache' })
    expect(same.image.steps).toEqual({ total: 3, cached: 3 })
    at.write({ 'server.js': '2' })
    expect((await at.build(dockerfile)).notes).toMatchObject({ 3: 'layer cache', 4: 'server.js changed' })
    at.write({ 'package.json': '{"a":1}' })
    expect((await at.build(dockerfile)).notes).toMatchObject({ 3: 'package.json changed', 4: 'package.json changed' })
    expect((await at.build(dockerfile.replace('COPY . .', 'COPY . /app'))).notes).toMatchObject({
      3: 'layer cache',
      4: 'instruction changed',
    })
    expect((await at.build(dockerfile.replace('WORKDIR /app', 'WORKDIR /new'))).notes).toMatchObject({
      2: 'instruction changed',
      3: 'instruction changed',
    })
  })

  it('is another one for each base', async () => {
    at.write({ x: 'x', y: 'y' })
    await at.base('base', [layerOf(['one', '1'])])
    await at.build('FROM base\nCOPY x /')
    await at.base('base', [layerOf(['two', '2'])])
    expect((await at.build('FROM base\nCOPY x /')).notes).toEqual({ 2: 'the base image changed' })
  })

  it('sees that a file changed which kept its size and time', async () => {
    at.write({ x: 'old' })
    const file = join(at.directory, 'context/x')
    const first = await at.build('FROM scratch\nCOPY x /')
    writeFileSync(file, 'new')
    const second = await at.build('FROM scratch\nCOPY x /')
    expect(second.notes).toEqual({ 2: 'x changed' })
    expect(second.tree()).not.toEqual(first.tree())
  })

  it('tells two files of one name in different directories apart', async () => {
    at.write({ 'a/x': '1', 'b/x': '2', 'c/y': '3' })
    await at.build('FROM scratch\nCOPY a/x b/x c/y /d/')
    at.write({ 'a/x': '9' })
    expect((await at.build('FROM scratch\nCOPY a/x b/x c/y /d/')).notes).toEqual({ 2: 'a/x changed' })
  })

  it('does not count a layer whose blob is gone', async () => {
    at.write({ x: 'x' })
    const first = await at.build('FROM scratch\nCOPY x /')
    rmSync(join(at.state, 'blobs'), { recursive: true })
    const second = await at.build('FROM scratch\nCOPY x /')
    expect(second.notes).toEqual({ 2: 'no longer in the cache' })
    expect(second.image.manifest).toEqual(first.image.manifest)
  })

  it('finds what a stage hands on by its content', async () => {
    at.write({ x: 'x', y: 'y' })
    const staged = 'FROM scratch AS a\nCOPY . /all\nFROM scratch\nCOPY --from=a /all/x /\n'
    await at.build(staged)
    at.write({ y: 'changed' })
    expect((await at.build(staged)).notes).toEqual({ 'a/2': 'y changed', '1/2': 'layer cache' })
    expect((await at.build(staged)).notes).toEqual({ 'a/2': 'layer cache', '1/2': 'layer cache' })
    at.write({ x: 'changed' })
    expect((await at.build(staged)).notes).toEqual({ 'a/2': 'x changed', '1/2': 'all/x changed' })
  })
})

describe('the local builder', () => {
  it('finds what an operation built, after a crash too, as long as it is there', async () => {
    at.write({ x: 'x' })
    const { image } = await at.build('FROM scratch\nCOPY x /')
    const builder = localBuilder({ directory: at.state })
    expect(await builder.find('build-1', testContext())).toEqual(image)
    expect(await builder.find('build-2', testContext())).toBeUndefined()
    rmSync(join(at.state, 'blobs'), { recursive: true })
    expect(await builder.find('build-1', testContext())).toBeUndefined()
  })

  it('refuses by name what it lacks', async () => {
    const builder = localBuilder({ directory: at.state, isolation: 'none' })
    const need = { args: {}, platform: { os: 'linux', architecture } }
    const dockerfile = `FROM scratch AS unused
ADD https://example.org/x /
FROM scratch
RUN --mount=type=secret,id=x true
ADD files.tar.gz /files/
COPY --parents a/b /
RUN --mount=type=ssh true
`
    const { ok, missing } = await builder.fit({ ...need, dockerfile }, testContext())
    expect(ok).toBe(false)
    expect(missing.map(({ what, line }) => `${line} ${what}`)).toEqual([
      '6 COPY --parents',
      '7 RUN --mount=type=ssh',
      '4 RUN --mount=type=secret without namespaces',
      '7 RUN --mount=type=ssh without namespaces',
    ])
    expect(await builder.fit({ ...need, dockerfile: 'FROM scratch\nCOPY . /\nADD a /' }, testContext())).toEqual({
      ok: true,
      missing: [],
    })
    const other = await builder.fit(
      { ...need, dockerfile: 'FROM scratch', platform: { os: 'linux', architecture: 's390x' } },
      testContext(),
    )
    expect(other.missing[0]?.what).toBe('building for linux/s390x')
    await expect(at.build(dockerfile)).rejects.toMatchObject({ code: 'BUILDER_UNFIT' })
  })

  it('refuses what an instruction that the base image adds would need', async () => {
    await at.base('triggers', [], { OnBuild: ['RUN --security=insecure mount'] })
    await expect(at.build('FROM triggers')).rejects.toMatchObject({
      code: 'BUILDER_UNFIT',
      message: expect.stringContaining('RUN --security=insecure'),
    })
  })

  it('names the line of a Dockerfile that cannot be read', async () => {
    await expect(at.build('FROM scratch\nCPOY x /')).rejects.toMatchObject({
      code: 'DOCKERFILE_SYNTAX',
      evidence: { line: 2 },
    })
    await expect(at.build('FROM scratch\nENV A=${')).rejects.toMatchObject({ code: 'DOCKERFILE_SYNTAX' })
    await expect(at.build('FROM nowhere')).rejects.toMatchObject({ code: 'BASE_IMAGE_MISSING' })
  })

  it('does not leave the source by the context’s path', async () => {
    await expect(at.build('FROM scratch', { contextPath: '../..' })).rejects.toMatchObject({ code: 'CONTEXT_INVALID' })
  })

  it('pulls each blob of a base once, and hands all of them to the sink', async () => {
    await at.base('base', [layerOf(['one', '1']), layerOf(['two', '2'])])
    const first = await at.build('FROM base\nENV A=1')
    const pulled = first.context.facts.filter(
      (fact) => fact.type === 'blob' && fact.direction === 'pull' && fact.state === 'done',
    )
    expect(pulled).toHaveLength(3)
    for (const digest of first.layers)
      expect(readFileSync(join(at.directory, 'sink/blobs', digest.replace(':', '/')))).toBeDefined()
    const second = await at.build('FROM base\nENV A=2')
    expect(second.context.facts.filter((fact) => fact.type === 'blob' && fact.direction === 'pull')).toEqual([])
  })

  it('stops at once when it is cancelled', async () => {
    const controller = new AbortController()
    controller.abort(new KiwiError('CANCELLED', 'enough'))
    const builder = localBuilder({ directory: at.state })
    const context = testContext({ signal: controller.signal })
    const request = {
      dockerfile: 'FROM scratch\nCOPY . /',
      dockerfilePath: 'Dockerfile',
      contextPath: '.',
      args: {},
      labels: {},
      createdAtSeconds: 0,
      platform: { os: 'linux', architecture },
    }
    const io = { tree: { directory: at.directory }, sink: { has: never, blob: never, manifest: never }, image: never }
    await expect(builder.build(request, io, context)).rejects.toThrow('enough')
  })
})

function never(): Promise<never> {
  return Promise.reject(new Error('was asked'))
}
