import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type InstanceSpec, secret } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { describe, expect, it } from 'vitest'
import { layerOf } from '../layers/testing.js'
import { readWhereabouts } from '../supervisor/whereabouts.js'
import {
  ensure,
  isOver,
  isReady,
  look,
  namespacesMissing,
  newDirectory,
  order,
  putBusyboxImage,
  spec,
  startRuntime,
  task,
  until,
  web,
} from './testing.js'

if (namespacesMissing) console.warn(`SKIPPED: tests in namespaces (${namespacesMissing})`)

const context = testContext({ secrets: { TOKEN: 'hunter2-very-secret' } })
const applets = ['cat', 'id', 'httpd', 'sleep', 'sh', 'mkdir', 'touch', 'ls', 'stat', 'pwd', 'head']
const files = layerOf(
  ['applets/'],
  ...applets.map((name) => [`applets/${name}`, '-> /bin/busybox'] as const),
  ['etc/'],
  ['etc/motd', 'of the image\n'],
  ['etc/passwd', 'root:x:0:0::/root:/bin/sh\napp:x:1234:1235::/www:/bin/sh\n'],
  ['www/', '', { uid: 1234, gid: 1235 }],
  ['run/'],
  ['var/'],
  ['var/run', '-> /run'],
)

/** Serves what `script` wrote to index.html, and files of /www besides. */
async function serve(script: string, more: Partial<InstanceSpec> = {}, image = {}) {
  const directory = newDirectory()
  const runtime = await startRuntime({ isolation: 'namespaces', directory })
  const command = `{ ${script}; } > /www/index.html 2>&1; exec httpd -f -h /www -p $PORT`
  const config = { Entrypoint: ['/bin/sh', '-c'], Cmd: [command], Env: ['GREETING=hello', 'PATH=/applets'], ...image }
  const digest = await putBusyboxImage(runtime, config, files)
  await runtime.claim(web, context)
  const action = ensure('a', digest, { spec: { ...spec, ...more } })
  await order(runtime, action, { context })
  await until(runtime, isReady('a'))
  await order(runtime, { type: 'route', from: [], to: ['a'] })
  const [address] = (await look(runtime)).route.addresses
  const ask = async (path = '') => (await (await fetch(`${address}/${path}`)).text()).trimEnd().split('\n')
  return { runtime, directory, action, ask }
}

describe.skipIf(namespacesMissing)('in namespaces', () => {
  it('an instance has the image as its root, its user, environment and directory, and only its own processes', async () => {
    const script = 'id -u; id -g; echo $GREETING $HOME $PATH $WORD; pwd; cat /etc/motd; cat /proc/1/comm; ls /'
    const env = { WORD: 'set here' }
    const { ask } = await serve(script, { env }, { User: 'app', WorkingDir: '/new/place' })
    const inside = 'applets bin dev etc new proc run sys var www'.split(' ')
    const expected = ['1234', '1235', 'hello /www /applets set here', '/new/place', 'of the image', 'sh', ...inside]
    expect(await ask()).toEqual(expected)
  })

  it('secrets are in the environment of the application, and in no argument that others can read', async () => {
    const { ask } = await serve('echo $PASSWORD', { env: { PASSWORD: secret('TOKEN') } })
    expect(await ask()).toEqual(['hunter2-very-secret'])
    expect(execFileSync('ps', ['-eo', 'args']).toString()).not.toContain('hunter2')
  })

  it('volumes are there, also behind a link of the image, and outlive the instance; the rest it wrote does not', async () => {
    const host = newDirectory()
    writeFileSync(join(host, 'greeting'), 'of the host\n')
    const volumes = [
      { source: host, path: '/var/run/host', readOnly: true },
      { source: 'data', path: '/www/data', readOnly: false },
    ]
    const script = 'cat /run/host/greeting; touch /run/host/x; ls /www/data /www; touch /www/data/kept /www/lost'
    const { runtime, action, ask } = await serve(script, { volumes })
    expect(await ask()).toEqual(expect.arrayContaining(['of the host', 'touch: /run/host/x: Read-only file system']))
    await order(runtime, { ...action, replicas: 0 })
    await until(runtime, ({ slots }) => slots[0]?.instances.length === 0)
    await order(runtime, { type: 'route', from: ['a'], to: [] })
    await order(runtime, { type: 'remove-slot', slot: 'a' })
    await order(runtime, action, { context })
    await until(runtime, isReady('a'))
    await order(runtime, { type: 'route', from: [], to: ['a'] })
    const listing = await ask()
    expect(listing).toContain('kept')
    expect(listing).not.toContain('lost')
  })

  it('two instances of a slot do not see what the other writes', async () => {
    const { runtime, directory, action } = await serve('true')
    await order(runtime, { ...action, replicas: 2 })
    await until(runtime, isReady('a', 2))
    const upper = (id: string) => join(directory, 'environments/web/production/slots/a', id, 'upper/www/index.html')
    expect([readFileSync(upper('a-1'), 'utf8'), readFileSync(upper('a-2'), 'utf8')]).toEqual(['', ''])
  })

  it('a task runs its command as the slot would: on the image, with its user, environment and volumes', async () => {
    const { runtime } = await serve('true')
    const digest = await putBusyboxImage(
      runtime,
      { Entrypoint: ['/bin/sh', '-c'], Env: ['PATH=/applets'], User: 'app' },
      files,
    )
    const volumes = [{ source: 'data', path: '/data', readOnly: true }]
    const env = { TOKEN: secret('TOKEN') }
    const command = ['id -u; cat /etc/motd; echo ${#TOKEN} ${PORT:+told}; touch /data/x; sleep 0.1']
    await order(runtime, task('t', digest, command, { spec: { ...spec, env, volumes } }), { context })
    await until(runtime, isOver('t'))
    const [instance] = (await runtime.evidence(web, 't', context)).instances
    const readOnly = 'touch: /data/x: Read-only file system'
    expect(instance?.lastOutput).toEqual(expect.arrayContaining(['1234', 'of the image', '19 told', readOnly]))
    expect(instance).toMatchObject({ id: 't', exitCode: 0 })
  })

  it('an application that does not handle the stop signal ends by it all the same', async () => {
    const { runtime } = await serve('true')
    await order(runtime, { type: 'route', from: ['a'], to: [] })
    const started = performance.now()
    await order(runtime, { type: 'remove-slot', slot: 'a' })
    await until(runtime, ({ slots }) => slots.length === 0)
    expect(performance.now() - started).toBeLessThan(spec.stopGraceMs)
  })

  it('how the application ended is told: its code, or the signal that ended it', async () => {
    const runtime = await startRuntime({ isolation: 'namespaces' })
    const script = 'if [ -e /www/again ]; then kill -SEGV $$; fi; touch /www/again; exit 7' // what it wrote outlives a restart
    const Cmd = ['/bin/sh', '-c', script]
    const digest = await putBusyboxImage(runtime, { Cmd, Env: ['PATH=/applets'] }, files)
    await runtime.claim(web, context)
    await order(runtime, ensure('a', digest))
    const restarted = (times: number) => until(runtime, ({ slots }) => slots[0]?.instances[0]?.restarts === times)
    expect((await restarted(1)).slots[0]?.instances[0]).toMatchObject({ exitCode: 7, reason: 'exited' })
    expect((await restarted(2)).slots[0]?.instances[0]).toMatchObject({ exitCode: 139, reason: 'SIGSEGV' })
  })

  it('nothing is left when the supervisor is killed: no process, no mount', async () => {
    const seconds = String(10_000_000 + randomInt(10_000_000))
    const { directory } = await serve(`sleep ${seconds} & sleep ${seconds} & true`)
    const place = join(directory, 'environments/web/production')
    const rows = () => execFileSync('ps', ['-eo', 'args']).toString().split('\n')
    const mine = () => rows().filter((row) => row === `sleep ${seconds}` || row.includes(place))
    expect(mine().filter((row) => row.startsWith('sleep'))).toHaveLength(2)
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(directory)
    process.kill(readWhereabouts(place)?.pid ?? 0, 'SIGKILL')
    await expect.poll(mine).toEqual([])
  })

  it('a command that is not in the image, or a root that cannot be mounted, is told as that', async () => {
    const runtime = await startRuntime({ isolation: 'namespaces' })
    const digest = await putBusyboxImage(runtime, { Cmd: ['/bin/nothing'] }, files)
    await runtime.claim(web, context)
    await order(runtime, ensure('a', digest))
    const failed = (id: string) =>
      until(runtime, ({ slots }) =>
        slots.some((slot) => slot.id === id && slot.instances[0]?.reason === 'start-failed'),
      )
    expect(JSON.stringify(await failed('a'))).toContain('failed to execute /bin/nothing')
    const volumes = [{ source: newDirectory(), path: '/bin/busybox', readOnly: false }]
    await order(runtime, ensure('b', digest, { spec: { ...spec, volumes } }))
    expect(JSON.stringify(await failed('b'))).toContain('its root could not be mounted: mount: ')
  })

  it('a user that the image does not have is refused before anything is started', async () => {
    const runtime = await startRuntime({ isolation: 'namespaces' })
    const digest = await putBusyboxImage(runtime, { Cmd: ['/bin/sh'], User: 'nobody-knows' }, files)
    await runtime.claim(web, context)
    await expect(order(runtime, ensure('a', digest))).rejects.toMatchObject({ code: 'RUNTIME_FAILED', effect: 'none' })
  })
})
