import { testContext } from '@kiwi/core/testing'
import { describe, expect, it } from 'vitest'
import { layerOf } from '../layers/testing.js'
import {
  answering,
  ensure,
  isReady,
  look,
  namespacesMissing,
  order,
  putBusyboxImage,
  putNodeImage,
  startRuntime,
  until,
  web,
} from './testing.js'

const context = testContext()

describe('a plain process', () => {
  it('is started, becomes ready and gets the traffic', async () => {
    const runtime = await startRuntime({ isolation: 'none' })
    const digest = await putNodeImage(runtime, answering('hello'))
    expect((await look(runtime)).revision).toBe('0')
    await runtime.claim(web, context)
    await order(runtime, ensure('a', digest))
    await until(runtime, isReady('a'))
    await order(runtime, { type: 'route', from: [], to: ['a'] })
    const { route } = await look(runtime)
    expect(route).toMatchObject({ slots: ['a'], settled: true, draining: 0 })
    const response = await fetch(route.addresses[0] ?? '')
    expect(await response.text()).toBe('hello')
  })
})

if (namespacesMissing) console.warn(`SKIPPED: tests in namespaces (${namespacesMissing})`)

describe.skipIf(namespacesMissing)('in namespaces', () => {
  it('runs the image as its root, sees only its own processes, and knows PORT and its environment', async () => {
    const runtime = await startRuntime({ isolation: 'namespaces' })
    const script = 'cd /www; { id -u; echo $GREETING; cat /etc/motd; ps | wc -l; } > index.html; exec httpd -f -p $PORT'
    const digest = await putBusyboxImage(
      runtime,
      { Entrypoint: ['/bin/sh', '-c'], Cmd: [script], User: 'app', Env: ['GREETING=hello', 'PATH=/bin:/applets'] },
      layerOf(
        ['applets/'],
        ...['cat', 'id', 'httpd', 'ps', 'wc'].map((name) => [`applets/${name}`, '-> /bin/busybox'] as const),
        ['etc/'],
        ['etc/motd', 'of the image\n'],
        ['etc/passwd', 'root:x:0:0::/root:/bin/sh\napp:x:1234:1234::/www:/bin/sh\n'],
        ['www/', '', { uid: 1234, gid: 1234 }],
      ),
    )
    await runtime.claim(web, context)
    await order(runtime, ensure('a', digest))
    await until(runtime, isReady('a'))
    await order(runtime, { type: 'route', from: [], to: ['a'] })
    const { route } = await look(runtime)
    const response = await fetch(`${route.addresses[0]}/index.html`)
    expect((await response.text()).split('\n').map((line) => line.trim())).toEqual([
      '1234',
      'hello',
      'of the image',
      '6',
      '',
    ])
  })
})
