import { nodePrograms, runtimeKit } from '@kiwi/core/testing'
import { describe, it } from 'vitest'
import { answering, putNodeImage, sharedRuntime, twoImages } from './testing.js'

const answers = ['one', 'two'] as const

describe.concurrent('the local runtime, with plain processes', () => {
  const runtime = sharedRuntime({ isolation: 'none' })
  const images = twoImages(answers, (one, answer) => putNodeImage(one, answering(answer)))
  for (const one of runtimeKit({ runtime, images, answers, programs: nodePrograms, sharesPorts: true }))
    it(one.name, one.run)
})
