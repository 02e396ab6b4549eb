import { describe, expect, it } from 'vitest'
import { DockerfileSyntaxError, expand, expandHeredoc, expandWords } from './index.js'

const variables = (name: string) => ({ home: '/home', empty: '', file: 'archive.tar.gz', list: ' a  b ' })[name]
const backslash = { escape: '\\' } as const
const backtick = { escape: '`' } as const

describe('expand', () => {
  it.each([
    ['$home/x', '/home/x'],
    ['${home}x', '/homex'],
    ['$missing|', '|'],
    ['${missing:-w}', 'w'],
    ['${empty:-w}', 'w'],
    ['${empty-w}', ''],
    ['${missing-w}', 'w'],
    ['${home:+w}', 'w'],
    ['${empty:+w}', ''],
    ['${empty+w}', 'w'],
    ['${home:?e}', '/home'],
    ['${empty?e}', ''],
    ['${missing:-${other:-$home}}', '/home'],
    ['${missing:-"a } b"}', 'a } b'],
    ['$1x$@', 'x'],
    ['$.', '$.'],
    ['안녕$home', '안녕/home'],
  ])('expands %s', (word, expected) => {
    expect(expand(word, variables, backslash)).toBe(expected)
  })

  it.each([
    ['${file#*.}', 'tar.gz'],
    ['${file##*.}', 'gz'],
    ['${file%.*}', 'archive.tar'],
    ['${file%%.*}', 'archive'],
    ['${file#x}', 'archive.tar.gz'],
    ['${file%.?z}', 'archive.tar'],
    ['${file//*/x}', 'x'],
    ['${file//a*/x}', 'x'],
    ['${file/.*./-}', 'archive-gz'],
    ['${file//[/x}', 'archive.tar.gz'],
    ['${file/ar/AR}', 'ARchive.tar.gz'],
    ['${file//ar/AR}', 'ARchive.tAR.gz'],
    ['${file/./$1}', 'archive$1tar.gz'.replace('$1', '')],
    ['${home/\\//_}', '_home'],
    ['${missing#x}${missing%x}${missing/x/y}', ''],
  ])('expands the pattern in %s', (word, expected) => {
    expect(expand(word, variables, backslash)).toBe(expected)
  })

  it.each([
    ["'$home'", '$home'],
    ["'a\\'", 'a\\'],
    ['"$home \'$home\'"', "/home '/home'"],
    ['\\$home', '$home'],
    ['"\\$home \\n \\\\ \\""', '$home \\n \\ "'],
    ['a\\tb', 'atb'],
    ['end\\', 'end'],
    ['  kept  ', '  kept  '],
  ])('reads quotes and escapes in %s', (word, expected) => {
    expect(expand(word, variables, backslash)).toBe(expected)
  })

  it('escapes with the character the escape directive names', () => {
    expect(expand('c:\\$home`$home', variables, backtick)).toBe('c:\\/home$home')
  })

  it.each([
    '${home',
    '${}',
    '${:-x}',
    '${home:=x}',
    '${missing?}',
    '${empty:?}',
    '"open',
    "'open",
    '${.}',
    '${home:#x}',
  ])('refuses %s', (word) => {
    expect(() => expand(word, variables, backslash)).toThrow(DockerfileSyntaxError)
  })

  it('says what ${name:?message} says, at the line it was given', () => {
    const attempt = () => expand('${missing:?set it}', variables, { ...backslash, line: 7 })
    expect(attempt).toThrow(expect.objectContaining({ line: 7, message: expect.stringContaining('missing: set it') }))
  })
})

describe('expandWords', () => {
  it('splits what a variable holds, but not inside quotes', () => {
    expect(expandWords('x$list', variables, backslash)).toEqual(['x', 'a', 'b'])
    expect(expandWords('x"$list"', variables, backslash)).toEqual(['x a  b '])
    expect(expandWords('a\\ b c', variables, backslash)).toEqual(['a b', 'c'])
    expect(expandWords('80${missing:-80}', variables, backslash)).toEqual(['8080'])
    expect(expandWords('$missing', variables, backslash)).toEqual([])
  })
})

describe('expandHeredoc', () => {
  it('leaves quotes alone and escapes with a backslash', () => {
    expect(expandHeredoc('"$home" it\'s \\$home\n', variables)).toBe('"/home" it\'s $home\n')
  })

  it('takes no time that a pattern could make long', () => {
    const variables = () => 'a'.repeat(20_000)
    const pattern = '*a'.repeat(40)
    expect(expand(`\${V##${pattern}b}`, variables, backslash)).toHaveLength(20_000)
    expect(expand(`\${V%%b${pattern}}`, variables, backslash)).toHaveLength(20_000)
  })
})
