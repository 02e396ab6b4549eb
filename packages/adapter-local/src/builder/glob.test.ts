import { describe, expect, it } from 'vitest'
import { partPattern } from './glob.js'

/** Cases of Go's own `path/filepath/match_test.go` for one part, and of our own. */
describe('a pattern of one path part', () => {
  it.each([
    ['abc', 'abc', true],
    ['*', 'abc', true],
    ['*c', 'abc', true],
    ['a*', 'a', true],
    ['a*', 'abc', true],
    ['a*b*c*d*e*', 'axbxcxdxe', true],
    ['a*b?c*x', 'abxbbxdbxebxczzx', true],
    ['a*b?c*x', 'abxbbxdbxebxczzy', false],
    ['ab[c]', 'abc', true],
    ['ab[b-d]', 'abc', true],
    ['ab[e-g]', 'abc', false],
    ['ab[^c]', 'abc', false],
    ['ab[^b-d]', 'abc', false],
    ['ab[^e-g]', 'abc', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'ab', false],
    ['a?b', 'a☺b', true],
    ['a[^a]b', 'a☺b', true],
    ['a???b', 'a☺b', false],
    ['[a-ζ]*', 'α', true],
    ['*[a-ζ]', 'A', false],
    ['[\\]a]', ']', true],
    ['[\\-]', '-', true],
    ['[x\\-]', 'x', true],
    ['[x\\-]', 'z', false],
    ['[\\-x]', 'a', false],
    ['[z-a]', 'm', false],
    ['a', 'ab', false],
    ['*x', 'xxx', true],
    ['', '', true],
    ['**', '', true],
  ])('%s on %s: %s', (pattern, name, expected) => {
    expect(partPattern(pattern).test(name)).toBe(expected)
  })

  it.each(['[]a]', '[-]', '[x-]', '[-x]', '[a-b-c]', '[', '[^', '[^bc', 'a[', '[]', '\\', '[\\', '[a\\'])(
    '%s is malformed',
    (pattern) => {
      expect(() => partPattern(pattern)).toThrow(SyntaxError)
    },
  )

  it('takes no time that a long name could make long', () => {
    expect(partPattern(`${'*a'.repeat(100)}b`).test('a'.repeat(255))).toBe(false)
    expect(partPattern('*'.repeat(1000)).test('a'.repeat(255))).toBe(true)
  })
})
