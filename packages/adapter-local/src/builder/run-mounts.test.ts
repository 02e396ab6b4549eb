import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KiwiError } from '@kiwi/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { layerOf, overlayMissing } from '../layers/testing.js'
import { type Bench, bench, busybox } from './testing.js'

const missing = overlayMissing ?? (busybox === undefined ? 'no busybox on this machine' : undefined)
if (missing) console.warn(`SKIPPED: tests of RUN --mount (${missing})`)

const tools = 'sh env cat id ls mkdir rm echo ln sleep touch stat grep test wc cp df readlink sort find'.split(' ')

let at: Bench
beforeEach(async () => {
  at = bench({ isolation: 'namespaces' })
  const program = layerOf(['bin/'], ...tools.map((name) => [`bin/${name}`, '-> busybox'] as const))
  const bytes = readFileSync(busybox ?? '')
  const box = layerOf(['bin/', ''], ['bin/busybox', bytes, { mode: 0o755 }])
  await at.base(
    'base',
    [box, program, layerOf(['etc/'], ['etc/passwd', 'root:x:0:0::/root:/bin/sh\n'], ['link', '-> /etc'])],
    {
      Env: ['PATH=/bin'],
    },
  )
})
afterEach(() => at[Symbol.dispose]())

/** All text that the state folder holds. */
function stateText(): string {
  const files = readdirSync(at.state, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return files.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1')).join('\n')
}

async function failure(dockerfile: string, more: Parameters<Bench['build']>[1] = {}): Promise<KiwiError> {
  return at.build(dockerfile, more).then(() => {
    throw new Error('it was built')
  }, KiwiError.from)
}

describe.skipIf(missing)('RUN --mount', () => {
  it('binds the build context, as .dockerignore leaves it, read-only, and leaves no trace of it', async () => {
    at.write({ 'src/a': 'A', 'src/b': 'B', '.dockerignore': 'src/b' })
    const built = await at.build('FROM base\nRUN --mount=type=bind,target=/mnt/deep ls /mnt/deep/src > /seen')
    expect(built.tree()).toMatchObject({ seen: expect.stringContaining('file') })
    expect(built.names()).toEqual(['seen'])
    const refused = await failure('FROM base\nRUN --mount=target=/mnt touch /mnt/new')
    expect(refused).toMatchObject({
      code: 'BUILD_STEP_FAILED',
      evidence: { lastLines: [expect.stringMatching(/Read-only/)] },
    })
  })

  it('binds one file, and what is written into a writable one reaches nobody', async () => {
    at.write({ a: 'A' })
    const dockerfile = 'FROM base\nRUN --mount=type=bind,source=a,target=/in/a,rw echo more >> /in/a && cp /in/a /out'
    const built = await at.build(dockerfile)
    expect(built.names()).toEqual(['out'])
    expect(readFileSync(join(at.directory, 'context', 'a'), 'utf8')).toBe('A')
  })

  it('binds a directory of a stage or an image', async () => {
    const built = await at.build(
      `FROM base AS one\nRUN mkdir /d && echo 1 > /d/x && ln -s /etc/passwd /d/l
FROM base\nRUN --mount=from=one,source=/d,target=/m cat /m/x > /x && readlink /m/l >> /x
RUN --mount=from=base,source=/etc,target=/m cat /m/passwd > /y`,
    )
    expect(built.tree()).toMatchObject({ x: expect.any(String), y: expect.any(String) })
  })

  it('is done again when what it shows has changed, and only then', async () => {
    at.write({ 'src/a': 'A', other: '1' })
    const dockerfile = 'FROM base\nRUN --mount=source=src,target=/m cat /m/a > /x'
    await at.build(dockerfile)
    at.write({ other: '2' })
    expect((await at.build(dockerfile)).notes).toEqual({ 2: 'layer cache' })
    at.write({ 'src/a': 'B' })
    expect((await at.build(dockerfile)).notes).toEqual({ 2: 'src/a changed' })
  })

  it('keeps a cache between builds of one scope, in no layer', async () => {
    const with_ = (text: string) =>
      `FROM base\nRUN --mount=type=cache,target=/c echo ${text} >> /c/log; wc -l < /c/log > /n`
    await at.build(with_('one'))
    const built = await at.build(with_('two'))
    expect(built.names()).toEqual(['n'])
    expect(built.tree().n).toBe((await at.build('FROM base\nRUN echo 2 > /n')).tree().n)
  })

  it('lets one at a time into a locked cache', async () => {
    const line = 'mkdir /c/in && sleep 0.2 && rm -r /c/in'
    const of = (name: string) =>
      at.build(`FROM base\nRUN --mount=type=cache,target=/c,sharing=locked ${line} && echo ${name} > /x`)
    const both = await Promise.all([of('a'), of('b')])
    expect(both.map(({ image }) => image.layers)).toEqual([4, 4])
  })

  it('gives memory that is gone after the step', async () => {
    const built = await at.build(
      'FROM base\nRUN --mount=type=tmpfs,target=/t,size=1m touch /t/x && df -k /t | grep -c 1024 > /n',
    )
    expect(built.names()).toEqual(['n'])
  })

  it('gives a secret for one step: in no layer, no file of the state folder, no log and no key', async () => {
    const secrets = { npmrc: { secret: 'TOKEN' } }
    const dockerfile =
      'FROM base\nRUN --mount=type=secret,id=npmrc cat /run/secrets/npmrc | wc -c > /n; stat -c %a /run/secrets/npmrc >> /n'
    const built = await at.build(dockerfile, { secrets }, { secrets: { TOKEN: 'very-secret-value' } })
    expect(built.names()).toEqual(['n'])
    expect(stateText()).not.toContain('very-secret-value')
    expect(stateText()).not.toContain(Buffer.from('very-secret-value').toString('base64'))
    const again = await at.build(dockerfile, { secrets }, { secrets: { TOKEN: 'another-secret-value' } })
    expect(again.notes).toEqual({ 2: 'layer cache' })
  })

  it('passes over a secret that was not given, or says which one is needed', async () => {
    await at.build('FROM base\nRUN --mount=type=secret,id=x test ! -e /run/secrets/x')
    expect(await failure('FROM base\nRUN --mount=type=secret,id=x,required=true true')).toMatchObject({
      code: 'SECRET_MISSING',
      evidence: { id: 'x', line: 2 },
    })
  })

  it.each([
    ['inside another', '--mount=type=tmpfs,target=/a --mount=type=tmpfs,target=/a/b', /lies in the mount/],
    ['over the root', '--mount=type=tmpfs,target=/', /nothing can be mounted/],
    ['over /proc', '--mount=type=tmpfs,target=/x/../proc/sys', /nothing can be mounted/],
    ['over a file', '--mount=type=tmpfs,target=/etc/passwd', /there is a file/],
    ['over a file through a link', '--mount=type=tmpfs,target=/link/passwd', /there is a file/],
    ['of what is not there', '--mount=source=nothing,target=/x', /nothing is not in the build context/],
  ])('refuses one %s', async (_, flags, message) => {
    expect(await failure(`FROM base\nRUN ${flags} true`)).toMatchObject({
      code: 'CONTEXT_INVALID',
      message: expect.stringMatching(message),
    })
  })

  it('has no network when it is told so', async () => {
    const built = await at.build('FROM base\nRUN --network=none ls /sys/class/net > /n && cat /n')
    expect(built.context.text().trim()).toBe('lo')
  })
})
