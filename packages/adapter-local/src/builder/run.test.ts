import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { testContext } from '@kiwi/core/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { chooseIsolation } from '../isolation/index.js'
import { layerOf, overlayMissing } from '../layers/testing.js'
import { localBuilder } from './local-builder.js'
import { architecture, type Bench, type Built, bench, busybox } from './testing.js'

const missing = overlayMissing ?? (busybox === undefined ? 'no busybox on this machine' : undefined)
if (missing) console.warn(`SKIPPED: tests of RUN in namespaces (${missing})`)

const tools = 'sh env cat id ls mkdir rm rmdir mv echo chown chmod ln sleep touch stat grep test wc cp hostname'.split(
  ' ',
)
const etc = [
  ['etc/'],
  ['etc/passwd', 'root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n'],
  ['etc/group', 'root:x:0:\nnode:x:1000:\nextra:x:77:node\n'],
  ['app/'],
  ['app/old', 'old'],
  ['app/lower/'],
  ['app/lower/file', 'l'],
  ['home/'],
  ['home/node/', '', { uid: 1000, gid: 1000 }],
  ['tmp/', '', { mode: 0o1777 }],
] as const

let at: Bench
beforeEach(async () => {
  at = bench({ isolation: 'namespaces' })
  await addBase(at)
})
afterEach(() => {
  vi.unstubAllEnvs()
  at[Symbol.dispose]()
})

async function addBase(to: Bench) {
  const program = layerOf(['bin/'], ...tools.map((name) => [`bin/${name}`, '-> busybox'] as const))
  await to.base('base', [busyboxLayer(), program, layerOf(...etc)], { Env: ['PATH=/bin'] })
}

function busyboxLayer() {
  const bytes = readFileSync(busybox ?? '')
  return layerOf(['bin/', ''], ['bin/busybox', bytes, { mode: 0o755 }])
}

const own = (built: Built) => built.names().map((name) => name.replace(/\/$/, ''))

describe.skipIf(missing)('RUN', () => {
  it('makes a layer of what the command changed', async () => {
    const built = await at.build(
      'FROM base\nWORKDIR /app\nRUN echo new > made && rm old && mkdir dir && ln made dir/same',
    )
    expect(own(built)).toEqual(['app', 'app/.wh.old', 'app/dir', 'app/dir/same', 'app/made'])
    const tree = built.tree()
    expect(tree['app/old']).toBeUndefined()
    expect(tree['app/made']).toContain('= app/dir/same')
  })

  it('hides what was in a directory that was removed and made again', async () => {
    const { tree } = await at.build('FROM base\nRUN rm -r /app/lower && mkdir /app/lower && echo 1 > /app/lower/other')
    expect(Object.keys(tree()).filter((path) => path.startsWith('app/lower'))).toEqual(['app/lower', 'app/lower/other'])
  })

  it('sees what steps before it did, from the cache as well', async () => {
    at.write({ file: 'from the context' })
    const dockerfile = (last: string) =>
      `FROM base\nRUN echo one > /one; rm -r /app; mkdir /app\nCOPY file /app/\nRUN cat /one /app/file; ls /app > /list; ${last}`
    await at.build(dockerfile('true'))
    const again = await at.build(dockerfile('echo again'))
    expect(again.context.text()).toBe('one\nfrom the contextagain\n')
    expect(again.notes).toEqual({ 2: 'layer cache', 3: 'layer cache', 4: 'instruction changed' })
  })

  it('says which variable or setting had changed, and keeps no value of it', async () => {
    const dockerfile = (env = 'A=1') => `FROM base\nARG TOKEN\nENV ${env}\nRUN echo x > /x`
    await at.build(dockerfile(), { args: { TOKEN: 'first-value' } })
    const changed = await at.build(dockerfile(), { args: { TOKEN: 'second-value' } })
    expect(Object.values(changed.notes)).toEqual(['ARG TOKEN changed'])
    const both = await at.build(dockerfile('A=2 B=3'), { args: { TOKEN: 'second-value' } })
    expect(Object.values(both.notes)).toEqual(['ENV A and 1 more changed'])
    const { stdout } = spawnSync('grep', ['-rlaE', 'first-value|second-value', join(at.state, 'cache')], {
      encoding: 'utf8',
    })
    expect(stdout).toBe('')
  })

  it('has ENV before ARG, the user, his home and groups, and the working directory', async () => {
    const { context } = await at.build(
      'FROM base\nARG A=arg\nARG B=arg\nENV B=env\nUSER node\nWORKDIR /home/node/w\nRUN echo $A $B $HOME $(id -u):$(id -g) $(id -G) && touch mine && stat -c %u:%g . mine',
    )
    expect(context.text()).toBe('arg env /home/node 1000:1000 1000 77\n1000:1000\n1000:1000\n')
  })

  it('takes exec form, another shell, and heredocs with their own interpreter', async () => {
    const { context } = await at.build(
      'FROM base\nRUN ["echo", "$HOME"]\nSHELL ["/bin/sh", "-xc"]\nRUN echo x\nRUN <<EOF\necho one\necho two\nEOF\nRUN <<EOF\n#!/bin/cat\nread me\nEOF\n',
    )
    expect(context.text()).toContain('$HOME\n')
    expect(context.text()).toContain('+ echo x')
    expect(context.text()).toContain('two\n')
    expect(context.text()).toContain('#!/bin/cat\nread me\n')
  })

  it('makes no layer when nothing changed', async () => {
    const { layers, config } = await at.build('FROM base\nRUN cat /etc/passwd')
    expect(layers).toHaveLength(3)
    expect(config.history?.at(-1)).toMatchObject({ empty_layer: true, created_by: 'RUN /bin/sh -c cat /etc/passwd' })
    expect((await at.build('FROM base\nRUN cat /etc/passwd')).notes).toEqual({ 2: 'layer cache' })
  })

  it('tells of a failure by step, line, exit code and last words', async () => {
    await expect(at.build('FROM base\nENV A=b\n\nRUN echo first; echo last words >&2; exit 3')).rejects.toMatchObject({
      code: 'BUILD_STEP_FAILED',
      evidence: { step: '3', line: 4, exitCode: 3, lastLines: expect.arrayContaining(['first', 'last words']) },
    })
    expect(readdirSync(join(at.state, 'work'))).toEqual([])
  })

  it('finds the package manager’s own error and the cause, wherever they stood in the log', async () => {
    const dockerfile = `FROM base\nRUN echo npm error code ERESOLVE; i=0; while [ $i -lt 100 ]; do i=$((i + 1)); echo line $i; done; exit 1`
    await expect(at.build(dockerfile)).rejects.toMatchObject({
      code: 'BUILD_STEP_FAILED',
      message: expect.stringContaining('npm error code ERESOLVE'),
      evidence: { cause: 'version-conflict', program: 'npm', importantLines: ['npm error code ERESOLVE'], exitCode: 1 },
    })
  })

  it('keeps nothing of a step that failed', async () => {
    await expect(at.build('FROM base\nRUN echo 1 > /made; false')).rejects.toThrow()
    const { tree } = await at.build('FROM base\nRUN ls /')
    expect(tree().made).toBeUndefined()
  })

  it('ends when the build is cancelled', async () => {
    const controller = new AbortController()
    const builder = localBuilder({ directory: at.state })
    const running = at.build(
      'FROM base\nRUN echo go && sleep 60',
      {},
      { signal: controller.signal, onOutput: () => controller.abort(new Error('enough')) },
    )
    await expect(running).rejects.toThrow('enough')
    expect(readdirSync(join(at.state, 'work'))).toEqual([])
    expect((await builder.probe(testContext())).details.isolation).toBe('namespaces')
  })

  it('gets the host’s npm settings, proxy and certificates for its own time only, and no rights of its user', async () => {
    const certificate = join(at.directory, 'ca.pem')
    const npmrc = join(at.directory, 'npmrc')
    writeFileSync(certificate, 'CERTIFICATE')
    writeFileSync(
      npmrc,
      `registry=https://ana:s3cr3t-word@npm.internal/\n//npm.internal/:_authToken=\${TOKEN_OF_TEST}\n_auth=s3cr3t-auth\nprefix=/host/only\ncafile=${certificate}\n`,
    )
    for (const name of Object.keys(process.env)) if (/^npm_config_/i.test(name)) vi.stubEnv(name, undefined) // npm itself may run this
    vi.stubEnv('TOKEN_OF_TEST', 's3cr3t-token')
    vi.stubEnv('npm_config_userconfig', npmrc)
    vi.stubEnv('npm_config_globalconfig', join(at.directory, 'none'))
    vi.stubEnv('NODE_EXTRA_CA_CERTS', certificate)
    vi.stubEnv('HTTPS_PROXY', 'http://proxy.internal:3128')
    vi.stubEnv('PIP_INDEX_URL', 'https://ana:s3cr3t-pip@pip.internal/simple')
    const dockerfile =
      'FROM base\nRUN cat $npm_config_globalconfig $NODE_EXTRA_CA_CERTS; env; echo "proxy $HTTPS_PROXY"; touch $npm_config_cache/kept; echo 1 > /made'
    const built = await at.build(dockerfile)
    expect(built.context.text()).toContain('registry=https://npm.internal/\ncafile=/run/kiwi/ca-0.pem\nCERTIFICATE')
    expect(built.context.text()).toContain('PIP_INDEX_URL=https://pip.internal/simple')
    expect(built.context.text()).not.toContain('s3cr3t')
    expect(built.context.text()).toContain('proxy http://proxy.internal:3128')
    expect(built.context.text()).not.toContain('/host/only')
    expect(own(built)).toEqual(['made'])
    expect(JSON.stringify(built.config)).not.toMatch(/internal|s3cr3t|CERTIFICATE/)
    const { stdout } = spawnSync('grep', ['-rlaE', 's3cr3t|npm.internal', at.state], { encoding: 'utf8' })
    expect(stdout).toBe('')
    vi.stubEnv('HTTPS_PROXY', 'http://elsewhere:1')
    expect((await at.build(dockerfile)).notes).toEqual({ 2: 'layer cache' })
  })

  it('sets nothing of the host where the image has its own', async () => {
    vi.stubEnv('HTTPS_PROXY', 'http://proxy.internal:3128')
    const { context } = await at.build(
      'FROM base\nENV HTTPS_PROXY=mine npm_config_cache=/tmp/c\nRUN echo $HTTPS_PROXY $npm_config_cache',
    )
    expect(context.text()).toBe('mine /tmp/c\n')
  })

  it('gives the same bytes on another machine', async () => {
    const dockerfile = 'FROM base\nRUN mkdir /x && echo 1 > /x/y && echo 2 > /app/z'
    const first = await at.build(dockerfile)
    using other = bench({ isolation: 'namespaces' })
    await addBase(other)
    expect((await other.build(dockerfile)).image.manifest).toEqual(first.image.manifest)
  })

  it('leaves stages that other stages copy from as they were', async () => {
    const { tree } = await at.build(
      'FROM base AS make\nRUN mkdir /out && echo 1 > /out/a && ln /out/a /out/b && chown 5:6 /out/a\nFROM scratch\nCOPY --from=make /out /\n',
    )
    expect(tree()).toMatchObject({ a: expect.stringContaining('file 5:6 644'), b: expect.stringContaining('= a') })
  })
})

describe('RUN without namespaces', () => {
  const script =
    'echo new > made; rm old; rm -r lower; mkdir lower; echo 2 > lower/file2; mkdir deep; echo 3 > deep/x; ln made twin; ln -s made way'

  it('makes the same files of the same command, in a copy of the image', async () => {
    const dockerfile = `FROM base\nWORKDIR /app\nRUN ${script}`
    const shown = async (isolation: 'none' | 'namespaces') => {
      using own = bench({ isolation })
      await addBase(own)
      return (await own.build(dockerfile)).tree()
    }
    const plain = await shown('none')
    expect(plain['app/made']).toBeDefined()
    expect(plain['app/old']).toBeUndefined()
    expect(plain['app/lower/file']).toBeUndefined()
    if (!missing) expect(plain).toEqual(await shown('namespaces'))
  })

  it('is said to be what was asked for', async () => {
    using own = bench({ isolation: 'none' })
    await addBase(own)
    const { context } = await own.build('FROM base\nRUN true')
    expect(context.facts).toContainEqual({
      type: 'choice',
      what: 'isolation',
      value: 'none',
      because: 'it was asked for',
    })
  })

  it('is taken only where it was allowed and nothing better works; else the builder names the cure', async () => {
    const { signal } = new AbortController()
    at.write({ file: '' })
    const unfit = join(at.directory, 'context/file/state')
    expect(await chooseIsolation('auto-with-none', unfit, signal)).toMatchObject({ kind: 'none' })
    const builder = localBuilder({ directory: unfit })
    const { ok, details } = await builder.probe(testContext())
    expect(ok).toBe(false)
    expect(details).toMatchObject({ isolation: 'missing', cure: expect.any(String) })
    const need = { args: {}, platform: { os: 'linux', architecture } }
    const fit = await builder.fit({ ...need, dockerfile: 'FROM x\nRUN y' }, testContext())
    expect(fit.missing).toMatchObject([{ line: 2, what: expect.stringContaining('isolate RUN') }])
    expect((await builder.fit({ ...need, dockerfile: 'FROM x\nCOPY y /' }, testContext())).ok).toBe(true)
  })

  it('is found to fail and ended with all it started', async () => {
    using own = bench({ isolation: 'none' })
    await addBase(own)
    const marker = `5${process.pid}7`
    await expect(own.build(`FROM base\nRUN sleep ${marker} & exit 4`)).rejects.toMatchObject({
      evidence: { exitCode: 4 },
    })
    const left = execFileSync('sh', [
      '-c',
      `grep -la ^sleep.${marker} /proc/[0-9]*/cmdline 2>/dev/null || true`,
    ]).toString()
    expect(left).toBe('')
  })
})
