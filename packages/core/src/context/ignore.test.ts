import { describe, expect, it } from 'vitest'
import { randomFrom } from '../image/test-random.js'
import { readIgnore } from './ignore.js'

describe('a .dockerignore', () => {
  // The cases of docs.docker.com ("dockerignore file") and of moby/patternmatcher, in our own words.
  it.each<[rules: string, ignored: readonly string[], kept: readonly string[]]>([
    [
      '# comment\n*/temp*',
      ['somedir/temporary.txt', 'somedir/temp'],
      ['temp', 'somedir/subdir/temporary.txt', '# comment'],
    ],
    ['*/*/temp*', ['somedir/subdir/temporary.txt'], ['somedir/temporary.txt']],
    ['temp?', ['tempa', 'tempb', 'temp😀'], ['temp', 'tempab']],
    ['**/*.go', ['a.go', 'x/a.go', 'x/y/z/a.go'], ['a.gox']],
    ['*.md\n!README.md', ['a.md'], ['README.md', 'x/a.md']],
    ['*.md\n!README*.md\nREADME-secret.md', ['a.md', 'README-secret.md'], ['README.md', 'README-x.md']],
    ['*.md\nREADME-secret.md\n!README*.md', ['a.md'], ['README.md', 'README-secret.md']],
    ['/foo/bar', ['foo/bar', 'foo/bar/x'], ['x/foo/bar', 'foo']],
    ['foo/bar', ['foo/bar'], ['x/foo/bar']],
    ['./foo/', ['foo', 'foo/x'], ['x/foo']],
    ['foo//bar/../baz', ['foo/baz'], ['foo/bar']],
    ['  foo  \n\t!foo/x', ['foo', 'foo/y'], ['foo/x']],
    ['*\n!src', ['package.json', '.git', '.git/config'], ['src', 'src/a', 'src/a/b']],
    ['docs\n!docs/README.md', ['docs', 'docs/x'], ['docs/README.md']],
    ['**\n!util/docker/web\nutil/docker/web/foo', ['util', 'util/docker/web/foo'], ['util/docker/web/bar']],
    ['!a.md\n*.md', ['a.md'], []],
    ['a/b\n!a', ['a/b'], ['a', 'a/c']], // as Docker walks: the parent was not ignored, so `!a` does not apply to it
    ['**', ['a', 'a/b', '.x'], []],
    ['dir/**', ['dir/a', 'dir/a/b'], ['dir', 'dirx']],
    ['**/dir', ['dir', 'a/dir', 'a/dir/b'], ['adir']],
    ['**file', ['file', 'x/file', 'x/yfile'], ['filex']],
    ['a**/*.txt', ['a/f.txt', 'ab/c/f.txt'], ['b/f.txt']],
    ['**/**/*.txt', ['f.txt', 'a/b/f.txt'], ['f.txt2']],
    ['a[b-d]e', ['ace'], ['ae', 'aae']],
    ['a[^b-d]e', ['aze', 'a😀e'], ['ace']],
    ['[a-ζ]*', ['α'], ['☺']],
    ['a\\*b\n\\#x\n\\!y', ['a*b', '#x', '!y'], ['axb']],
    ['abc.def', ['abc.def'], ['abcZdef']],
    ['+page.ts\napp/(group)/*.js\nc++\na{b}$', ['+page.ts', 'app/(group)/x.js', 'c++', 'a{b}$'], ['page.ts']],
    ['*', ['constructor', '__proto__', 'toString/x'], []],
    ['\ufefffoo\r\nbar\r', ['foo', 'bar'], []],
    ['/\n.\n\n ', [], ['a', '.a']],
    ['.*', ['.foo', '.git/x'], ['foo']],
    ['../x\nx/../../x', [], ['x']],
    ['FOO', ['FOO'], ['foo']],
  ])('%j', (rules, ignored, kept) => {
    const read = readIgnore(rules)
    expect(ignored.filter((path) => !read.ignores(path))).toEqual([])
    expect(kept.filter((path) => read.ignores(path))).toEqual([])
  })

  it.each(['a\n!', 'a\n[', 'a\n[a', 'a\n[]a]', 'a\n[b-a]', 'a\nx\\', 'a\n*\\y', 'a\n[[:alpha:]]'])(
    'is refused with the line of a pattern that means nothing: %j',
    (rules) => {
      expect(() => readIgnore(rules, 'x.dockerignore')).toThrow(
        expect.objectContaining({
          code: 'CONTEXT_INVALID',
          message: expect.stringContaining('x.dockerignore line 2: '),
          evidence: expect.objectContaining({ line: 2 }),
        }),
      )
    },
  )

  it('throws nothing but its own error, whatever it is given', () => {
    const random = randomFrom(7)
    const pieces = [
      '*',
      '**',
      '?',
      '[',
      ']',
      '^',
      '-',
      '\\',
      '!',
      '/',
      '.',
      '..',
      '#',
      ' ',
      '\n',
      '\0',
      'a',
      '(',
      '|',
      '{',
      '+',
      '$',
      '😀',
      '\ud800',
    ]
    for (let round = 0; round < 3000; round += 1) {
      const text = random.some(12, () => random.pick(pieces)).join('')
      try {
        readIgnore(text).ignores('a/b/c')
      } catch (error) {
        expect({ text, error }).toMatchObject({ error: { name: 'KiwiError', code: 'CONTEXT_INVALID' } })
      }
    }
  })

  it.each([`${'**/a'.repeat(12)}/**/b`, `${'*a'.repeat(100)}b`, '**/'.repeat(1300)])(
    'comes to an end with a pattern made to take forever',
    (pattern) => {
      const rules = readIgnore(`${pattern}x`)
      expect(rules.ignores(`${'a/'.repeat(40)}${'a'.repeat(200)}`)).toBe(false)
    },
  )

  it('asks for a walk below an ignored directory only where a later exception can match there', () => {
    const may = (text: string) => (directory: string) => {
      const rules = readIgnore(text)
      return rules.mayWantBelow(directory, rules.judgement(directory))
    }
    const directories = ['src', 'src/a', 'src/a/keep', 'lib', 'src/a/other']
    expect(directories.map(may('*\n!src/*/keep\n!early'))).toEqual([true, true, false, false, false])
    expect(['node_modules', 'lib'].map(may('lib\n!**/deep.md\nnode_modules'))).toEqual([false, true])
  })
})
