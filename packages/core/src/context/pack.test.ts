import { execFileSync, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startProcess } from '../image/test-process.js'
import { randomFrom } from '../image/test-random.js'
import { readIgnore } from './ignore.js'
import type { PackOptions } from './options.js'
import { contextDigest, contextDockerfile, contextFiles, packContext } from './pack.js'
import { describeTree, makeIgnore, makeTree } from './test-tree.js'

let directory: string
let tree: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kiwi-context-'))
  tree = join(directory, 'tree')
  mkdirSync(tree)
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const dockerfile = { path: 'Dockerfile', bytes: Buffer.from('FROM scratch\n') }

function optionsOf(options: Partial<PackOptions> = {}): PackOptions {
  return {
    directory: tree,
    contextPath: '.',
    dockerfilePath: 'Dockerfile',
    signal: new AbortController().signal,
    ...options,
  }
}

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true })
    if (text.startsWith('-> ')) symlinkSync(text.slice(3), join(tree, path))
    else writeFileSync(join(tree, path), text)
  }
}

async function pack(options: Partial<PackOptions> = {}): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(packContext(optionsOf(options))))
}

/** The archive's files, as GNU tar unpacks them. */
async function unpack(options: Partial<PackOptions> = {}): Promise<string> {
  const into = mkdtempSync(join(directory, 'out-'))
  const tar = spawnSync('tar', ['-xpf', '-', '-C', into, '--no-same-owner'], { input: await pack(options) })
  expect({ status: tar.status, said: tar.stderr.toString() }).toEqual({ status: 0, said: '' })
  return into
}

async function names(options: Partial<PackOptions> = {}): Promise<string[]> {
  return (await Array.fromAsync(contextFiles(optionsOf(options)))).map(({ path }) => path)
}

describe('a packed context', () => {
  it.each(Array.from({ length: 12 }, (_, seed) => seed))(
    'is what the rules leave of the tree, as GNU tar unpacks it (seed %i)',
    async (seed) => {
      const random = randomFrom(seed)
      makeTree(random, tree)
      const ignore = seed % 5 === 0 ? '' : makeIgnore(random, Object.keys(describeTree(tree)))
      writeFileSync(join(tree, '.dockerignore'), ignore)
      writeFileSync(join(tree, 'Dockerfile'), 'FROM scratch')
      const rules = readIgnore(ignore)
      const whole = describeTree(tree)
      const wanted = Object.keys(whole).filter(
        (path) => path === 'Dockerfile' || path === '.dockerignore' || !rules.ignores(path),
      )
      const above = new Set(
        wanted.flatMap((path) => path.split('/').map((_, end, parts) => parts.slice(0, end).join('/'))),
      )
      const expected = Object.keys(whole).filter((path) => wanted.includes(path) || above.has(path))
      const into = await unpack()
      const unpacked = describeTree(into)
      expect(Object.keys(unpacked)).toEqual(expected)
      const bare = (text: string | undefined) =>
        text
          ?.split(' ')
          .slice(0, text.startsWith('->') ? undefined : 2)
          .join(' ')
      for (const path of expected) expect([path, bare(unpacked[path])]).toEqual([path, bare(whole[path])])
      // Names of one file are still names of one file, as far as they were sent.
      const groups = (described: Record<string, string>) =>
        Object.groupBy(
          expected.filter((path) => /^(?:runs|file)/.test(described[path] ?? '')),
          (path) => described[path]?.split(' ').slice(2).join(' ') ?? '',
        )
      expect(Object.values(groups(unpacked))).toEqual(Object.values(groups(whole)))
      const listed = (await names()).toSorted()
      expect(listed).toEqual(expected.toSorted())
    },
  )

  it('has the same bytes for the same files, whatever their times, owners, masks and order', async () => {
    const pairs = Array.from({ length: 3 }, (_, copy) => {
      const into = join(directory, `copy-${copy}`)
      makeTree(randomFrom(3), into)
      return into
    })
    const [one = '', two = '', three = ''] = pairs
    for (const path of readdirSync(two, { recursive: true, encoding: 'utf8' })) {
      const file = join(two, path)
      const status = lstatSync(file)
      if (status.isSymbolicLink()) continue
      utimesSync(file, 1_000_000, 1_000_000)
      chmodSync(file, status.isDirectory() ? 0o700 : status.mode & 0o100 ? 0o700 : 0o600)
    }
    const options = { extra: [dockerfile] }
    const digest = (place: string) => contextDigest(optionsOf({ ...options, directory: place }))
    expect(await digest(two)).toBe(await digest(one))
    writeFileSync(join(three, 'another'), '')
    expect(await digest(three)).not.toBe(await digest(one))
  })

  it('names no user, and has the time it is given', async () => {
    write({ Dockerfile: 'x', 'run.sh': '', 'sub/deep/x': 'y', link: '-> sub' })
    chmodSync(join(tree, 'run.sh'), 0o4711)
    const list = async (mtimeSeconds: number | undefined) =>
      execFileSync('tar', ['-tvf', '-', '--full-time', '--utc'], { input: await pack({ mtimeSeconds }) })
        .toString()
        .trim()
        .split('\n')
        .map((line) => line.replace(/ +/g, ' '))
    expect(await list(undefined)).toEqual([
      '-rw-r--r-- 0/0 1 1970-01-01 00:00:00 Dockerfile',
      'lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 link -> sub',
      '-rwxr-xr-x 0/0 0 1970-01-01 00:00:00 run.sh',
      'drwxr-xr-x 0/0 0 1970-01-01 00:00:00 sub/',
      'drwxr-xr-x 0/0 0 1970-01-01 00:00:00 sub/deep/',
      '-rw-r--r-- 0/0 1 1970-01-01 00:00:00 sub/deep/x',
    ])
    expect((await list(1_700_000_000))[0]).toContain('2023-11-14 22:13:20')
    expect((await list(4_000_000_000))[0]).toContain('2096-10-02 07:06:40')
  })

  it('always holds the Dockerfile and the rules, and the directories that lead to them', async () => {
    write({ 'docker/web/Dockerfile': 'x', 'docker/other': '', '.dockerignore': '*\n', a: '', 'sub/b': '' })
    expect(await names({ dockerfilePath: 'docker/web/Dockerfile' })).toEqual([
      '.dockerignore',
      'docker',
      'docker/web',
      'docker/web/Dockerfile',
    ])
  })

  it('follows the Dockerfile’s own rules before the context’s, and those it is given before both', async () => {
    write({ Dockerfile: 'x', '.dockerignore': 'a', 'Dockerfile.dockerignore': 'b', a: '', b: '', c: '' })
    const all = ['.dockerignore', 'Dockerfile', 'Dockerfile.dockerignore']
    expect(await names()).toEqual([...all, 'a', 'c'])
    expect(await names({ ignore: 'c' })).toEqual([...all, 'a', 'b'])
    const into = await unpack({ ignore: 'c' })
    // A receiver that reads the rules again (Kaniko does) comes to the same files.
    expect(readFileSync(join(into, 'Dockerfile.dockerignore'), 'utf8')).toBe('c')
    rmSync(join(tree, 'Dockerfile.dockerignore'))
    expect(await names()).toEqual(['.dockerignore', 'Dockerfile', 'b', 'c'])
    rmSync(join(tree, '.dockerignore'))
    expect(await names({ ignore: 'c' })).toEqual(['.dockerignore', 'Dockerfile', 'a', 'b'])
  })

  it('walks an ignored directory for what is taken in again, and holds it only then', async () => {
    write({ Dockerfile: '', 'a/b/keep': '', 'a/b/x': '', 'a/c/x': '', 'd/keep': '', 'e/f/x': '', 'g/h/deep.md': '' })
    expect(await names({ ignore: '*\n!a/*/keep\n!**/deep.md' })).toEqual([
      '.dockerignore',
      'Dockerfile',
      'a',
      'a/b',
      'a/b/keep',
      'g',
      'g/h',
      'g/h/deep.md',
    ])
  })

  it('takes files that are not in the tree, or stand in place of one there, whatever the rules say', async () => {
    write({ Dockerfile: 'old', '.dockerignore': '*', 'app/x': '' })
    const extra = [dockerfile, { path: 'app/new/deep', bytes: Buffer.from('deep') }]
    const into = await unpack({ extra })
    expect(readFileSync(join(into, 'Dockerfile'), 'utf8')).toBe('FROM scratch\n')
    expect(readFileSync(join(into, 'app/new/deep'), 'utf8')).toBe('deep')
    expect(await names({ extra })).toEqual(['.dockerignore', 'Dockerfile', 'app', 'app/new', 'app/new/deep'])
  })

  it('sends a Dockerfile from outside the context under a name of its own, which the rules hide', async () => {
    write({ 'docker/Dockerfile': 'FROM scratch', 'app/a': '', 'app/.dockerignore': 'b', 'app/b': '' })
    const options = { contextPath: 'app', dockerfilePath: 'docker/Dockerfile' }
    const name = await contextDockerfile(optionsOf(options))
    expect(name).toMatch(/^\.dockerfile\.[0-9a-f]{20}$/)
    const into = await unpack(options)
    expect(readdirSync(into).sort()).toEqual([name, '.dockerignore', 'a'].sort())
    expect(readFileSync(join(into, name), 'utf8')).toBe('FROM scratch')
    expect(readFileSync(join(into, '.dockerignore'), 'utf8')).toBe(`b\n${name}\n`)
    rmSync(join(tree, 'docker'), { recursive: true })
    const given = { ...options, extra: [{ path: 'docker/Dockerfile', bytes: Buffer.from('given') }] }
    expect(readFileSync(join(await unpack(given), name), 'utf8')).toBe('given')
  })

  it('sends all that a linked Dockerfile needs, even where the rules leave it out', async () => {
    write({
      Dockerfile: '-> docker/prod',
      'docker/prod': '-> ../deep/real',
      'deep/real': 'FROM scratch',
      '.dockerignore': '*',
    })
    expect(await names()).toEqual(['.dockerignore', 'Dockerfile', 'deep', 'deep/real', 'docker', 'docker/prod'])
    expect(await contextDockerfile(optionsOf())).toBe('Dockerfile')
  })

  it('keeps links as they are, wherever they lead, and follows none', async () => {
    write({ Dockerfile: 'x', out: '-> ../../outside', etc: '-> /etc', loop: '-> loop', here: '-> sub', 'sub/a': '' })
    writeFileSync(join(directory, 'outside'), 'secret')
    const into = await unpack()
    expect(['out', 'etc', 'loop', 'here'].map((name) => readlinkSync(join(into, name)))).toEqual([
      '../../outside',
      '/etc',
      'loop',
      'sub',
    ])
    expect(await names()).not.toContain('here/a')
  })

  it('leaves sockets and fifos out and says so', async () => {
    write({ Dockerfile: 'x', 'sub/a': '' })
    execFileSync('mkfifo', [join(tree, 'sub/fifo')])
    const server = createServer().listen(join(tree, 'socket'))
    await new Promise((resolve) => server.on('listening', resolve))
    const skipped: string[] = []
    const found = await names({ onSkipped: (path, kind) => skipped.push(`${kind} ${path}`) })
    expect(found).toEqual(['Dockerfile', 'sub', 'sub/a'])
    expect(skipped).toEqual(['socket socket', 'fifo sub/fifo'])
    await new Promise((resolve) => server.close(resolve))
  })
})

describe('a context that cannot be packed', () => {
  const outside = { code: 'CONTEXT_INVALID', message: expect.stringContaining('outside the repository') }

  it.each(['..', '../x', 'a/../..', '/', '/etc', '/etc/../etc', 'a\0b', 'out', 'out/sub', 'up', 'sub/up'])(
    'is refused where it is outside the repository: %j',
    async (contextPath) => {
      mkdirSync(join(directory, 'outside/sub'), { recursive: true })
      write({
        out: `-> ${join(directory, 'outside')}`,
        up: '-> ../outside',
        'sub/up': '-> ../../outside',
        Dockerfile: '',
      })
      await expect(pack({ contextPath })).rejects.toMatchObject(outside)
      await expect(pack({ dockerfilePath: contextPath })).rejects.toMatchObject(outside)
      await expect(pack({ extra: [{ path: `${contextPath}/x`, bytes: Buffer.from('') }] })).rejects.toMatchObject({
        code: 'CONTEXT_INVALID',
      })
    },
  )

  it('may be reached through a link inside', async () => {
    write({ 'real/sub/a': '', 'real/sub/Dockerfile': '', app: '-> real/sub', there: '-> ./real/../app' })
    for (const contextPath of ['app', 'there', 'real/../app/.', './app/']) {
      expect(await names({ contextPath, dockerfilePath: 'real/sub/Dockerfile' })).toEqual(['Dockerfile', 'a'])
    }
  })

  it.each([
    [{ contextPath: 'missing' }, 'CONTEXT_INVALID', 'is not in the repository'],
    [{ contextPath: 'file' }, 'CONTEXT_INVALID', 'is not a directory'],
    [{ contextPath: 'loop' }, 'CONTEXT_INVALID', 'round in circles'],
    [{ dockerfilePath: 'nowhere' }, 'DOCKERFILE_MISSING', 'nowhere'],
    [{ dockerfilePath: 'sub' }, 'DOCKERFILE_MISSING', 'not a file'],
    [{ dockerfilePath: 'dangling' }, 'DOCKERFILE_MISSING', 'not there'],
    [{ ignore: '[' }, 'CONTEXT_INVALID', 'line 1'],
    [{ directory: '/nonexistent' }, 'CONTEXT_INVALID', '/nonexistent'],
    [{ extra: [{ path: 'file/x', bytes: Buffer.from('') }] }, 'CONTEXT_INVALID', 'file is not a directory'],
    [
      { extra: [{ path: 'file/x', bytes: Buffer.from('') }], ignore: 'file' },
      'CONTEXT_INVALID',
      'file is not a directory',
    ],
    [{ extra: [{ path: 'sub', bytes: Buffer.from('') }] }, 'CONTEXT_INVALID', 'sub is a directory'],
  ])('is refused: %j', async (options, code, message) => {
    write({ file: '', 'sub/x': '', loop: '-> loop', dangling: '-> nothing', Dockerfile: '' })
    await expect(pack(options)).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
  })

  it('never reads rules or a Dockerfile through a link that leads out', async () => {
    writeFileSync(join(directory, 'secret'), 'password')
    for (const name of ['Dockerfile', '.dockerignore', 'Dockerfile.dockerignore']) {
      rmSync(tree, { recursive: true })
      write({ Dockerfile: '' })
      rmSync(join(tree, name), { force: true })
      write({ [name]: `-> ${join(directory, 'secret')}` })
      const error = await pack().catch((thrown: unknown) => thrown)
      expect(error).toMatchObject(outside)
      expect(String(error)).not.toContain('password')
    }
  })

  it('is refused for a name or a link that is not UTF-8, unless the rules leave it out', async () => {
    write({ Dockerfile: '' })
    writeFileSync(Buffer.concat([Buffer.from(`${tree}/bad-`), Buffer.from([0xff])]), '')
    await expect(pack()).rejects.toMatchObject({
      code: 'CONTEXT_INVALID',
      message: expect.stringMatching(/bad-.*UTF-8.*ff/),
    })
    expect(await names({ ignore: 'bad-*' })).toEqual(['.dockerignore', 'Dockerfile'])
    rmSync(tree, { recursive: true })
    write({ Dockerfile: '' })
    symlinkSync(Buffer.from([0x61, 0xfe]), join(tree, 'link'))
    await expect(pack()).rejects.toMatchObject({ code: 'CONTEXT_INVALID', message: expect.stringContaining('link') })
  })

  const big = 8 * 1024 * 1024
  it.each<[string, (file: string) => void]>([
    ['grows', (file) => appendFileSync(file, 'more')],
    ['shrinks', (file) => truncate(file, big / 2)],
    ['is replaced', replace],
  ])('is refused where a file %s while it is read', async (_, change) => {
    write({ Dockerfile: '' })
    const file = join(tree, 'big')
    writeFileSync(file, Buffer.alloc(big))
    let changed = false
    const packing = (async () => {
      for await (const chunk of packContext(optionsOf())) {
        if (!changed && chunk.byteLength > 512) change(file)
        changed ||= chunk.byteLength > 512
      }
    })()
    const refused = { code: 'CONTEXT_INVALID', message: 'big changed while it was being read' }
    // A replaced file is still whole: the open one is read to its end.
    if (_ === 'is replaced') await expect(packing).resolves.toBeUndefined()
    else await expect(packing).rejects.toMatchObject(refused)
    expect(changed).toBe(true)
  })

  it('is refused where a file or directory cannot be read, and named', async () => {
    write({ Dockerfile: '', 'sub/secret': '', 'locked/x': '' })
    chmodSync(directory, 0o755)
    const program = `
      const { packContext } = await from('./pack.ts')
      const options = { directory: ${JSON.stringify(tree)}, contextPath: '.', dockerfilePath: 'Dockerfile', signal: new AbortController().signal }
      try { for await (const chunk of packContext(options)); console.log('packed') } catch (error) { console.log(error.code, error.message) }`
    const uid = process.getuid?.() === 0 ? 65534 : undefined // root reads everything
    const said = () => startProcess(import.meta.url, program, { uid }).output
    expect(await said()).toBe('packed\n')
    chmodSync(join(tree, 'sub/secret'), 0)
    expect(await said()).toBe('CONTEXT_INVALID sub/secret cannot be read (EACCES)\n')
    chmodSync(join(tree, 'locked'), 0)
    expect(await said()).toBe('CONTEXT_INVALID locked cannot be read (EACCES)\n')
    chmodSync(join(tree, 'locked'), 0o755)
  })
})

describe('the stream', () => {
  const openFiles = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(tree)
      } catch {
        return false
      }
    })

  it('is read no further than it is taken', async () => {
    write({ Dockerfile: '' })
    for (let index = 0; index < 400; index += 1) symlinkSync('nowhere', join(tree, `link-${index}`))
    execFileSync('mkfifo', [join(tree, 'z-last')])
    const skipped: string[] = []
    const stream = packContext(optionsOf({ onSkipped: (path) => skipped.push(path) }))
    await stream.next()
    await wait(200)
    expect(skipped).toEqual([])
    while (!(await stream.next()).done);
    expect(skipped).toEqual(['z-last'])
  })

  it('holds no file in memory', async () => {
    write({ Dockerfile: '' })
    const handle = openSync(join(tree, 'big'), 'w')
    ftruncateSync(handle, 3 * 1024 ** 3)
    closeSync(handle)
    const before = process.memoryUsage().arrayBuffers
    let most = 0
    let bytes = 0
    for await (const chunk of packContext(optionsOf())) {
      bytes += chunk.byteLength
      if (bytes > 250 * 1024 ** 2) break
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    }
    expect(most).toBeLessThan(200 * 1024 ** 2)
    expect(openFiles()).toEqual([])
  })

  it('ends with the reason when the signal fires, and leaves no file open', async () => {
    write({ Dockerfile: '', a: 'x'.repeat(1000), z: '' })
    writeFileSync(join(tree, 'big'), Buffer.alloc(8 * 1024 ** 2))
    for (const taken of [0, 1, 2, 5, 9]) {
      const stopper = new AbortController()
      const stream = packContext(optionsOf({ signal: stopper.signal }))
      for (let count = 0; count < taken; count += 1) await stream.next()
      const reason = new Error('enough')
      stopper.abort(reason)
      await expect(stream.next()).rejects.toBe(reason)
      expect(openFiles()).toEqual([])
    }
  })

  it('closes its file when the signal fires while nobody takes anything', async () => {
    write({ Dockerfile: '' })
    writeFileSync(join(tree, 'big'), Buffer.alloc(8 * 1024 ** 2))
    const stopper = new AbortController()
    const stream = packContext(optionsOf({ signal: stopper.signal }))
    for (let count = 0; count < 4; count += 1) await stream.next()
    expect(openFiles()).toHaveLength(1)
    stopper.abort('enough')
    await expect.poll(openFiles).toEqual([])
    await expect(stream.next()).rejects.toBe('enough')
  })
})

function replace(file: string): void {
  writeFileSync(`${file}2`, Buffer.alloc(1))
  renameSync(`${file}2`, file)
}

function truncate(file: string, size: number): void {
  const handle = openSync(file, 'r+')
  ftruncateSync(handle, size)
  closeSync(handle)
}
