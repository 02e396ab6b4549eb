import type { Runtime } from '@kiwi/core'
import { runtimeKit } from '@kiwi/core/testing'
import { describe, it } from 'vitest'
import { layerOf } from '../layers/testing.js'
import { namespacesMissing, putBusyboxImage, sharedRuntime, twoImages } from './testing.js'

if (namespacesMissing) console.warn(`SKIPPED: the runtime's kit in namespaces (${namespacesMissing})`)

const answers = ['one', 'two'] as const

describe.skipIf(namespacesMissing)('the local runtime, in namespaces', { concurrent: true }, () => {
  const runtime = sharedRuntime({ isolation: 'namespaces' })
  const images = twoImages(answers, putServer)
  for (const one of runtimeKit({ runtime, images, answers, sharesPorts: true })) it(one.name, one.run)
})

function putServer(runtime: Runtime, answer: string): Promise<string> {
  const applets = ['httpd', 'sleep'].map((name) => [`applets/${name}`, '-> /bin/busybox'] as const)
  const config = { Cmd: ['sh', '-c', 'exec httpd -f -h /www -p $PORT'], Env: ['PATH=/bin:/applets'] }
  const files = layerOf(['applets/'], ...applets, ['www/'], ['www/index.html', answer])
  return putBusyboxImage(runtime, config, files)
}
