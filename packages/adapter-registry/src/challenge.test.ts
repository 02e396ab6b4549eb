import { expect, test } from 'vitest'
import { parseChallenges } from './challenge.js'

test.each([
  ['Basic realm="kiwi"', [{ scheme: 'basic', parameters: { realm: 'kiwi' } }]],
  [
    'Bearer realm="https://auth.example.com/token",service="registry",scope="repository:a/b:pull,push"',
    [
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.example.com/token',
          service: 'registry',
          scope: 'repository:a/b:pull,push',
        },
      },
    ],
  ],
  [
    'Negotiate, BASIC Realm=plain, Bearer realm="x"',
    [
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'basic', parameters: { realm: 'plain' } },
      { scheme: 'bearer', parameters: { realm: 'x' } },
    ],
  ],
  [
    'Negotiate YII+/abc==, Basic realm="a"',
    [
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'basic', parameters: { realm: 'a' } },
    ],
  ],
  [
    'Basic realm="say \\"hi\\", then = go" , charset = UTF-8',
    [{ scheme: 'basic', parameters: { realm: 'say "hi", then = go', charset: 'UTF-8' } }],
  ],
  ['Bearer realm="cut off', [{ scheme: 'bearer', parameters: {} }]],
  ['realm="no scheme"', []],
  ['', []],
])('reads %j', (header, challenges) => {
  expect(parseChallenges([header])).toEqual(challenges)
})

test('reads challenges from several headers', () => {
  expect(parseChallenges(['Negotiate', 'Basic realm="a"']).map(({ scheme }) => scheme)).toEqual(['negotiate', 'basic'])
})
