import { chmodSync, linkSync, rmSync, symlinkSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { layerOf } from '../layers/testing.js'
import { type Bench, bench, digestOfText } from './testing.js'

let at: Bench
beforeEach(async () => {
  at = bench()
  await at.base('base', [
    layerOf(
      ['etc/'],
      ['etc/passwd', 'root:x:0:0::/root:/bin/sh\nnode:x:1000:1001::/home/node:/bin/sh\n'],
      ['etc/group', 'root:x:0:\nnode:x:1001:\nstaff:x:50:\n'],
      ['usr/'],
      ['usr/lib/'],
      ['usr/lib/present', 'p'],
      ['lib', '-> usr/lib'],
      ['opt', '-> /usr'],
      ['tmp/', '', { mode: 0o1777 }],
      ['srv/', '', { uid: 7, gid: 8, mode: 0o750 }],
      ['a-file', 'f'],
    ),
  ])
})
afterEach(() => at[Symbol.dispose]())

const file = (text: string, mode = '644', owner = '0:0') => `file ${owner} ${mode} ${digestOfText(text)}`

describe('COPY', () => {
  it('puts a file under its new name, into a directory, or into one that is there', async () => {
    at.write({ 'a.txt': 'a' })
    const { tree } = await at.build(
      'FROM base\nCOPY a.txt /x/b.txt\nCOPY a.txt /y/\nCOPY a.txt /usr\nWORKDIR /w\nCOPY a.txt .\nCOPY a.txt c',
    )
    expect(tree()).toMatchObject({
      'x/b.txt': file('a'),
      'y/a.txt': file('a'),
      'usr/a.txt': file('a'),
      'w/a.txt': file('a'),
      'w/c': file('a'),
    })
  })

  it('copies the content of a directory, not the directory', async () => {
    at.write({ 'src/one': '1', 'src/deep/two': '2', 'src/empty/': '' })
    const { tree, names } = await at.build('FROM base\nCOPY src /app')
    expect(tree()).toMatchObject({ 'app/one': file('1'), 'app/deep/two': file('2'), 'app/empty': 'directory 0:0 755' })
    expect(names()).toEqual(['app/', 'app/deep/', 'app/deep/two', 'app/empty/', 'app/one'])
  })

  it('follows symlinks of the image on the way, and lists their real directories as they look', async () => {
    at.write({ 'a.txt': 'a' })
    const { tree, list, names } = await at.build(
      'FROM base\nCOPY a.txt /lib/new\nCOPY a.txt /opt/lib/newer\nCOPY a.txt /tmp/\nCOPY a.txt /srv/',
    )
    expect(tree()).toMatchObject({
      'usr/lib/new': file('a'),
      'usr/lib/newer': file('a'),
      lib: 'symlink usr/lib',
      tmp: 'directory 0:0 1777',
      srv: 'directory 7:8 750',
    })
    expect(names(3)).toEqual(['usr/', 'usr/lib/', 'usr/lib/new'])
    expect(list(1)).toMatch(/drwxrwxrwt 0\/0 .* tmp\//)
  })

  it('keeps modes and symlinks, and gives everything to root', async () => {
    at.write({ 'src/run.sh': '#!/bin/sh', 'src/target': 't' })
    chmodSync(join(at.directory, 'context/src/run.sh'), 0o750)
    symlinkSync('../elsewhere/x', join(at.directory, 'context/src/link'))
    linkSync(join(at.directory, 'context/src/target'), join(at.directory, 'context/src/twin'))
    const { tree } = await at.build('FROM scratch\nCOPY src /')
    expect(tree()).toEqual({
      link: 'symlink ../elsewhere/x',
      'run.sh': file('#!/bin/sh', '750'),
      target: file('t'),
      twin: `${file('t')} = target`,
    })
  })

  it('follows a symlink that is the source itself, inside the context only', async () => {
    at.write({ 'real/x': 'x' })
    symlinkSync('real', join(at.directory, 'context/way'))
    symlinkSync('/etc', join(at.directory, 'context/out'))
    symlinkSync('../../../../etc/passwd', join(at.directory, 'context/up'))
    expect((await at.build('FROM scratch\nCOPY way /')).tree()).toEqual({ x: file('x') })
    await expect(at.build('FROM scratch\nCOPY out /')).rejects.toMatchObject({ code: 'CONTEXT_INVALID' })
    await expect(at.build('FROM scratch\nCOPY up /')).rejects.toMatchObject({ code: 'CONTEXT_INVALID' })
  })

  it('takes --chown by number and by the image’s names, also for the directories it makes', async () => {
    at.write({ x: 'x' })
    const { tree } = await at.build(
      'FROM base\nCOPY --chown=node x /n/x\nCOPY --chown=node:staff x /s/x\nCOPY --chown=12 x /u/x\nCOPY --chown=12:13 x /v/x\nCOPY --chown=:50 x /g/x',
    )
    expect(tree()).toMatchObject({
      n: 'directory 1000:1001 755',
      'n/x': file('x', '644', '1000:1001'),
      's/x': file('x', '644', '1000:50'),
      'u/x': file('x', '644', '12:12'),
      'v/x': file('x', '644', '12:13'),
      'g/x': file('x', '644', '0:50'),
    })
    await expect(at.build('FROM base\nCOPY --chown=nobody x /')).rejects.toMatchObject({ code: 'CONTEXT_INVALID' })
  })

  it('takes --chmod in digits and in words', async () => {
    at.write({ 'src/run': 'x', 'src/data': 'd' })
    chmodSync(join(at.directory, 'context/src/run'), 0o700)
    chmodSync(join(at.directory, 'context/src/data'), 0o600)
    const { tree } = await at.build('FROM base\nCOPY --chmod=751 src /a/\nCOPY --chmod=u=rwX,go=rX src /b/')
    expect(tree()).toMatchObject({
      'a/data': file('d', '751'),
      'b/run': file('x', '755'),
      'b/data': file('d', '644'),
    })
  })

  it('matches patterns part by part', async () => {
    at.write({ 'a1.js': '1', 'a2.js': '2', 'b.ts': 'b', 'd/x/in.txt': 'i', 'd/y/in.txt': 'j', 'arr[0].txt': 'z' })
    const { tree } = await at.build(
      'FROM scratch\nCOPY a?.js /p/\nCOPY [b-c].* /p/\nCOPY d/x*/in.txt /q/\nCOPY arr[[]0].txt /r/\nCOPY b.ts none*.ts /s/',
    )
    expect(Object.keys(tree()).filter((path) => path.includes('/'))).toEqual([
      'p/a1.js',
      'p/a2.js',
      'p/b.ts',
      'q/in.txt',
      'r/arr[0].txt',
      's/b.ts',
    ])
  })

  it('takes from an earlier stage and from an image, with owners and links', async () => {
    at.write({ x: 'x' })
    const { tree } = await at.build(
      'FROM base AS one\nCOPY --chown=5:6 x /made/x\nFROM base AS unused\nCOPY nothing /\nFROM scratch\nCOPY --from=one /made /m\nCOPY --from=0 /made/x /n\nCOPY --from=base /lib/present /lib /l/',
    )
    expect(tree()).toMatchObject({
      'm/x': file('x', '644', '5:6'),
      n: file('x', '644', '5:6'),
      'l/present': file('p'),
    })
  })

  it('takes heredocs as files', async () => {
    const { tree } = await at.build(
      'FROM scratch\nARG NAME=you\nCOPY <<one <<"two" /d/\nhello $NAME\none\nhello $NAME\ntwo\n',
    )
    expect(tree()).toMatchObject({ 'd/one': file('hello you\n'), 'd/two': file('hello $NAME\n') })
  })

  it('leaves out what .dockerignore says, case by case', async () => {
    at.write({
      '.dockerignore': 'node_modules\n*.log\n!keep.log\ndocs\n!docs/read.me\n**/tmp\n',
      'node_modules/x/y': '',
      'a.log': '',
      'keep.log': '',
      'docs/other': '',
      'docs/read.me': '',
      'src/tmp/x': '',
      'src/main': '',
      'NODE_MODULES/z': '',
    })
    const { tree } = await at.build('FROM scratch\nCOPY . /')
    expect(Object.keys(tree())).toEqual([
      '.dockerignore',
      'NODE_MODULES',
      'NODE_MODULES/z',
      'docs',
      'docs/read.me',
      'keep.log',
      'src',
      'src/main',
    ])
    await expect(at.build('FROM scratch\nCOPY a.log /')).rejects.toMatchObject({ code: 'CONTEXT_INVALID' })
  })

  it('takes the Dockerfile’s own ignore file before the context’s, and the wizard’s before both', async () => {
    at.write({ '.dockerignore': 'a', 'Dockerfile.dockerignore': 'b', a: '', b: '', c: '' })
    const names = async (more = {}) => Object.keys((await at.build('FROM scratch\nCOPY [abc] /', more)).tree())
    expect(await names()).toEqual(['a', 'c'])
    expect(await names({ ignore: 'c' })).toEqual(['a', 'b'])
    rmSync(join(at.directory, 'context/Dockerfile.dockerignore'))
    expect(await names()).toEqual(['b', 'c'])
  })

  it('names what is missing, the line, and what is close', async () => {
    at.write({ 'package.json': '{}', 'server.js': '' })
    await expect(at.build('FROM scratch\n\nCOPY pakage.json /')).rejects.toMatchObject({
      code: 'CONTEXT_INVALID',
      message: 'line 3: pakage.json is not in the build context; there is package.json',
      evidence: { path: 'pakage.json', line: 3, closeNames: ['package.json'] },
    })
    await expect(at.build('FROM scratch\nCOPY none* /')).rejects.toMatchObject({ code: 'CONTEXT_INVALID' })
    await expect(at.build('FROM scratch\nCOPY package.json server.js /app')).rejects.toThrow('cannot all become /app')
    await expect(at.build('FROM base\nCOPY server.js /a-file/x')).rejects.toThrow('it is no directory in the image')
  })

  it('refuses to put a directory over a file and a file over a directory', async () => {
    at.write({ 'one/present/x': '', 'two/lib': 'l' })
    await expect(at.build('FROM base\nCOPY one /usr/lib')).rejects.toThrow('cannot copy over /usr/lib/present')
    await expect(at.build('FROM base\nCOPY two /usr')).rejects.toThrow('cannot copy over /usr/lib')
  })

  it('with --link does not look at what lies below', async () => {
    at.write({ x: 'x' })
    const { names } = await at.build('FROM base\nCOPY --link x /lib/x')
    expect(names()).toEqual(['lib/', 'lib/x'])
  })

  it('gives the same bytes whatever the times and owners of the files', async () => {
    at.write({ 'src/x': 'x' })
    const first = await at.build('FROM scratch\nCOPY src /app')
    utimesSync(join(at.directory, 'context/src/x'), 1, 1)
    using other = bench()
    other.write({ 'src/x': 'x' })
    const second = await other.build('FROM scratch\nCOPY src /app')
    expect(second.image.manifest).toEqual(first.image.manifest)
    expect(first.list()).toContain('2025-06-15 15:06:40')
  })
})
