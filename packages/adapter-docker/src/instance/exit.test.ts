import { expect, it } from 'vitest'
import { exitOf } from './exit.js'

const event = (Action: string, exitCode?: string) => JSON.stringify({ Action, Actor: { Attributes: { exitCode } } })

it('reads how the last run ended', () => {
  expect(exitOf([event('die', '1'), event('die', '3')])).toEqual({ exitCode: 3, reason: 'exited' })
})

it('tells that the memory was used up', () => {
  expect(exitOf([event('oom'), event('die', '137')])).toEqual({ exitCode: 137, reason: 'OOMKilled' })
})

it('knows nothing when the engine has forgotten', () => {
  expect(exitOf([])).toBeUndefined()
})
