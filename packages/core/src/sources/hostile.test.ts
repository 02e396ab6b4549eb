import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { KiwiError } from '../errors/kiwi-error.js'
import { testContext } from '../testing/context.js'
import { createSource } from './source.js'
import { submoduleAddress } from './submodule-address.js'
import { checkSubmodulePath } from './submodules.js'
import { removeTestDirectories, testDirectory } from './test-repository.js'
import { readRepositoryAddress } from './url.js'

const sandbox = testDirectory()
const started = join(sandbox, 'started')
const state = { directory: join(sandbox, 'state') }
const context = testContext({ secrets: { GIT_TOKEN: 'open-sesame-9f3a' } })

// Whoever starts one of these leaves a trace.
mkdirSync(join(sandbox, 'bin'))
for (const name of ['git', 'git-lfs', 'git-remote-ext', 'ssh', 'sh', 'touch', 'id', 'curl', 'env'])
  writeFileSync(join(sandbox, 'bin', name), `#!/bin/sh\necho "$0 $*" >> ${started}\nexit 1\n`, { mode: 0o755 })
writeFileSync(join(sandbox, 'secret'), 'private')
mkdirSync(join(sandbox, 'source'))

let before: string[]
beforeEach(() => {
  vi.stubEnv('PATH', join(sandbox, 'bin'))
  before = listing()
})
afterEach(() => vi.unstubAllEnvs())
afterAll(removeTestDirectories)

function listing(): string[] {
  return readdirSync(sandbox, { recursive: true, encoding: 'utf8' })
    .map((name) => `${name} ${lstatSync(join(sandbox, name)).mtimeMs} ${lstatSync(join(sandbox, name)).size}`)
    .sort()
}

/** Refused with a code, before anything was started or written, and without a secret in what is said. */
async function expectRefusal(attempt: () => unknown, code: string): Promise<void> {
  const outcome = await new Promise<unknown>((resolve) => resolve(attempt())).then(
    () => 'was accepted',
    (thrown: unknown) => thrown,
  )
  expect(KiwiError.is(outcome), String(outcome)).toBe(true)
  expect(outcome).toMatchObject({ code, effect: 'none', retryable: false })
  const told = JSON.stringify(KiwiError.is(outcome) ? outcome.toRecord() : outcome)
  expect(told).not.toContain('sesame')
  expect(told.length).toBeLessThan(2000)
  expect(existsSync(started)).toBe(false)
  expect(listing()).toEqual(before)
}

const hostileRefs = [
  ...['', ' ', '-', '--', '-c', '-u', '-h', '--help', '--upload-pack=touch x', '--upload-p=x', '-uid', '--exec=id'],
  ...[
    '--output=x',
    '-o/tmp/x',
    '--config=core.fsmonitor=id',
    '-cprotocol.ext.allow=always',
    '--no-index',
    '--git-dir=/',
  ],
  ...['$(id)', '`id`', '${IFS}', 'a;id', 'a|id', 'a>x', 'a<x', 'a"b', '$HOME', 'main$(touch x)', ';touch x', 'a\tb'],
  ...['main\n', '\nmain', 'a\nb', 'a\r\nb', 'a\rb', 'a\0b', '\0', 'a\u0007', 'a\u001b[31m', 'a\u007f', 'a\u0085b'],
  ...[
    'a\u2028b',
    'a\u2029b',
    'a\u202eb',
    'a\u2066b',
    'a\u200bb',
    'a\ufeffb',
    'a\u00adb',
    '\ud800',
    'a\u061cb',
    'a\u200eb',
  ],
  ...[
    '..',
    '../..',
    'a..b',
    'a...b',
    '../../etc/passwd',
    '/etc/passwd',
    'a/../b',
    './a',
    'a/./b',
    '.git',
    '.git/config',
  ],
  ...['a//b', 'a/', '/', 'a.lock', 'a/b.lock/c', 'a.', '.', 'refs/heads/', 'refs/heads/../x', 'refs//heads'],
  ...[
    '@',
    '@{-1}',
    'main@{1}',
    'main@{u}',
    'HEAD~1',
    'HEAD^',
    'HEAD^{}',
    '^main',
    'main:file',
    ':/text',
    ':0:file',
    'a?',
  ],
  ...['a*', 'refs/heads/*', 'a[b', 'a\\b', 'a b', 'ext::sh -c id', 'https://example.com', '+main:evil', 'a:b'],
  ...['x'.repeat(251), 'x/'.repeat(5000), '\u{1f600}'.repeat(200), 'a\u{e0001}b'],
]

describe('a hostile ref', () => {
  it.each(hostileRefs)('%j is refused by a git source', async (ref) => {
    const source = createSource({ git: '/srv/web.git' }, state)
    await expectRefusal(() => source.resolve(ref, context), 'INPUT_INVALID')
  })

  it.each(hostileRefs)('%j is refused by a directory', async (ref) => {
    const source = createSource({ directory: join(sandbox, 'source') }, state)
    await expectRefusal(() => source.resolve(ref, context), 'INPUT_INVALID')
  })
})

describe('a hostile commit', () => {
  const commits = ['', 'HEAD', 'main', '--help', '-o/tmp/x', 'abc123', `${'a'.repeat(40)}\n`, 'A'.repeat(40)]
  commits.push('a'.repeat(39), 'a'.repeat(41), `-${'a'.repeat(39)}`, `../${'a'.repeat(37)}`, `${'a'.repeat(38)}/.`)
  commits.push(`${'a'.repeat(40)}\0`, '\uff41'.repeat(40), '0'.repeat(10_000))
  it.each(commits)('%j is refused', async (commit) => {
    const good = 'a'.repeat(40)
    for (const definition of [{ git: '/srv/web.git' }, { directory: join(sandbox, 'source') }]) {
      const source = createSource(definition, state)
      await expectRefusal(() => source.open({ commit, ref: 'main' }, context), 'INPUT_INVALID')
      await expectRefusal(
        () => source.changed?.(commit, good, context) ?? source.open({ commit, ref: 'x' }, context),
        'INPUT_INVALID',
      )
    }
    await expectRefusal(
      () => createSource({ git: '/srv/web.git' }, state).changed?.(good, commit, context),
      'INPUT_INVALID',
    )
  })

  it.each(['', 'sha256:', `sha256:${'A'.repeat(64)}`, `sha256:../../${'a'.repeat(58)}`, `sha512:${'a'.repeat(64)}`])(
    'of a directory with the digest %j is refused',
    async (contentDigest) => {
      const source = createSource({ directory: join(sandbox, 'source') }, state)
      const revision = { commit: 'a'.repeat(40), ref: 'HEAD', contentDigest }
      await expectRefusal(() => source.open(revision, context), 'INPUT_INVALID')
    },
  )
})

const hostileAddresses = [
  ...[
    '',
    ' ',
    '-',
    '-u',
    '--upload-pack=touch x',
    '--config=x',
    '-oProxyCommand=id',
    '-',
    '.',
    '..',
    './web',
    '../web',
  ],
  ...[
    'ext::sh -c id',
    'ext::sh',
    'EXT::sh',
    'ext::ext::sh',
    'fd::17',
    'http::x',
    'https::https://example.com/web',
    'a::b',
  ],
  ...[
    'file:///etc',
    'FILE:///etc',
    'file://host/x',
    'git://example.com/x',
    'ftp://example.com/x',
    'ftps://example.com/x',
  ],
  ...[
    'svn://example.com/x',
    'rsync://example.com/x',
    'javascript:alert(1)',
    'data:text/plain,x',
    'gopher://example.com/x',
  ],
  ...[
    'transport::address',
    'ext::https://example.com/x',
    'ws://example.com/x',
    'telnet://example.com/x',
    'about:blank',
  ],
  ...[
    'http://example.com/x',
    'http://10.0.0.1/x',
    'http://169.254.169.254/latest',
    'http://metadata/x',
    'http://0.0.0.0/x',
  ],
  ...[
    'http://127.0.0.1.example.com/x',
    'http://localhost.example.com/x',
    'http://[::ffff:10.0.0.1]/x',
    'http://2852039166/x',
  ],
  ...[
    'https://user:open-sesame@example.com/x',
    'https://open-sesame@example.com/x',
    'https://:open-sesame@example.com/x',
  ],
  ...[
    'https://example.com@evil.example.com/x',
    'https://example.com\\@evil.example.com/x',
    'https://example.com%40evil/x',
  ],
  ...[
    'https://example.com/x?token=open-sesame',
    'https://example.com/x#open-sesame',
    'https://example.com',
    'https://',
  ],
  ...[
    'https:///x',
    'https:example.com/x',
    'https:/example.com/x',
    'https://example.com:99999/x',
    'https://[::1/x',
    'https://-x/y',
  ],
  ...[
    'https://example.com/x\n',
    'https://example.com/x\r\nHost: evil',
    'https://example.com/x\0',
    'https://exa mple.com/x',
  ],
  ...[
    'https://example.com/%0ahost=evil.example.com',
    'https://example.com/%0D%0Ax',
    'https://example.com/%00',
    'https://a%0ab/x',
  ],
  ...[
    'https://example.com/%1b',
    'https://example.com/\u202egit.bew',
    'https://example.com/a\u200bb',
    'https://exam\u00adple.com/x',
  ],
  ...['https://example.com/$(id)', 'https://example.com/`id`', 'https://example.com/;id', 'https://example.com/|id'],
  ...[
    "https://example.com/'x'",
    'https://example.com/"x"',
    'https://example.com/{a,b}',
    'https://example.com/*',
    'https://a/x^{}',
  ],
  ...['ssh://-oProxyCommand=id/x', 'ssh://-oProxyCommand=id@example.com/x', 'ssh://git@-oProxyCommand=id/x', 'ssh://'],
  ...[
    'ssh://git:open-sesame@example.com/x',
    'ssh://example.com',
    'ssh://a%20b@example.com/x',
    'ssh://git@example.com/$(id)',
  ],
  ...[
    'git@-oProxyCommand=id:x',
    '-oProxyCommand=id@example.com:x',
    'git@example.com:-x',
    'git@example.com:--upload-pack=id',
  ],
  ...[
    'git@example.com::x',
    'git@example.com:',
    '@example.com:x',
    'example.com:x',
    'git@@example.com:x',
    'git@exa_mple.com:x',
  ],
  ...[
    'git@example.com:`id`',
    'git@example.com:$(id)',
    'git@example.com:a;id',
    "git@example.com:'x'",
    'git@ex\nample.com:x',
  ],
  ...[
    'C:\\web',
    '\\\\host\\share',
    '//example.com\n/x',
    '/srv/web\n.git',
    '/srv/web\0',
    '/srv/\u202ebew',
    `/srv/${'x'.repeat(2000)}`,
  ],
  ...[
    `https://example.com/${'x'.repeat(2000)}`,
    `https://${'a.'.repeat(999)}/x`,
    'https://\ud800/x',
    '\ufeffhttps://example.com/x',
  ],
]

describe('a hostile repository address', () => {
  it.each(hostileAddresses)('%j is refused', async (git) => {
    await expectRefusal(() => createSource({ git }, state), 'INPUT_INVALID')
    await expectRefusal(() => createSource({ git, token: { secret: 'GIT_TOKEN' } }, state), 'INPUT_INVALID')
  })

  it.each(['/srv/web.git', 'git@example.com:web.git', 'ssh://git@example.com/web.git'])(
    '%j is refused with a token, which would never be used',
    async (git) => {
      await expectRefusal(() => createSource({ git, token: { secret: 'GIT_TOKEN' } }, state), 'INPUT_INVALID')
    },
  )
})

describe('a hostile submodule', () => {
  const parents = ['https://example.com/team/web.git', 'git@example.com:team/web.git', '/srv/git/web.git']
  const absolute = hostileAddresses.filter((text) => !text.startsWith('.'))
  const relative = [
    './',
    '../',
    '.',
    '..',
    '../..',
    '../../../../x',
    '../../../../../etc/passwd',
    './../../../../../x',
    '../',
  ]
  relative.push(
    '.././.././.././../x',
    '../a/../b',
    '../a/./b',
    '../a//b',
    '../%2e%2e/x',
    '../%2E%2e/x',
    '../a/..',
    './.',
  )
  relative.push(
    '../a\nb',
    '../a\0b',
    '../a b',
    '../$(id)',
    '../`id`',
    '../a;id',
    '../\u202ea',
    '../a\\b',
    '../%0ahost=evil',
  )
  relative.push(
    '../a?token=open-sesame',
    '../a#b',
    '..//etc',
    './/etc',
    `../${'x'.repeat(2000)}`,
    '../"x"',
    '../\ud800',
  )
  it.each([...absolute, ...relative])('with the address %j is refused, whatever the parent', async (text) => {
    for (const parent of parents) {
      // A question mark or a hash is a letter of a path, except in a URL.
      if (/[?#]/.test(text) && !parent.startsWith('https') && text.startsWith('.')) continue
      await expectRefusal(() => submoduleAddress(readRepositoryAddress(parent), 'lib', text), 'SUBMODULE_REFUSED')
    }
  })

  it.each([
    ['https://example.com/web.git', '/etc'],
    ['https://example.com/web.git', '/srv/git/web.git'],
    ['https://example.com/web.git', 'http://127.0.0.1:8080/x'],
    ['https://example.com/web.git', 'http://[::1]/x'],
    ['https://example.com/web.git', 'git@other.example.com:x'],
    ['https://example.com/web.git', 'ssh://git@example.com:2222/x'],
    ['https://example.com/web.git', 'ssh://root@example.com/x'],
    ['https://example.com/web.git', 'git@example.com.evil.example.com:x'],
    ['http://127.0.0.1:3000/web.git', 'git@other.example.com:x'],
    ['http://127.0.0.1:3000/web.git', '/etc'],
    ['git@example.com:web.git', '/etc'],
    ['git@example.com:web.git', 'http://127.0.0.1/x'],
    ['/srv/git/web.git', '/srv/git/other.git'],
    ['/srv/git/web.git', '/etc'],
    ['/srv/git/web.git', '../../../etc/x'],
    ['/srv/git/web.git', '../../home/x'],
    ['/srv/git/web.git', 'http://127.0.0.1/x'],
  ])('of %j may not lead to %j', async (parent, text) => {
    await expectRefusal(() => submoduleAddress(readRepositoryAddress(parent), 'lib', text), 'SUBMODULE_REFUSED')
  })

  it.each([
    ...[
      '',
      '/',
      '/etc',
      '.',
      '..',
      '../x',
      'a/../../x',
      'a/..',
      './a',
      'a/.',
      'a//b',
      'a/',
      '//x',
      'a\\..\\b',
      '..\\x',
    ],
    ...[
      '.git',
      '.GIT',
      '.Git/hooks',
      'a/.git',
      'a/.git/hooks',
      '.git.',
      '.git ',
      '.git . .',
      '.git::$INDEX_ALLOCATION',
    ],
    ...[
      'git~1',
      'GIT~1',
      '.g\u200cit',
      '.gi\u200dt',
      '\ufeff.git',
      '.git\u2064',
      'a/GIT~1/x',
      '-x',
      '--upload-pack=id',
      'a/-x',
    ],
    ...['a\nb', 'a\0b', 'a\rb', 'a\u001b[2J', 'a\u202eb', 'a\u2028b', '\ud800', 'x'.repeat(1001)],
  ])('with the path %j is refused', async (path) => {
    await expectRefusal(() => checkSubmodulePath(path), 'SUBMODULE_REFUSED')
  })
})

describe('a hostile directory', () => {
  it.each([
    ...[
      '',
      '.',
      '..',
      'src',
      './src',
      '../src',
      '-x',
      '--help',
      '~',
      '~/x',
      '$HOME',
      '$(id)',
      '`id`',
      'file:///etc',
      'C:\\x',
    ],
    ...[
      '/',
      '//',
      '/..',
      '/../etc',
      '/tmp/..',
      '/tmp/../etc',
      '/tmp/./x',
      '/tmp//x',
      '/.',
      '//etc',
      '/tmp/../../etc/passwd',
    ],
    ...[
      '/tmp/a\nb',
      '/tmp/a\0b',
      '/tmp/\r\n',
      '/tmp/\u001b[31m',
      '/tmp/\u202egpj',
      '/tmp/\u200b',
      '/tmp/\u2028',
      '/tmp/\ud800',
    ],
    ...[`/${'x'.repeat(4000)}`, 'https://example.com/x', 'git@example.com:x', 'ext::sh', '\0', '\n', ' /tmp'],
  ])('%j is refused', async (directory) => {
    await expectRefusal(() => createSource({ directory }, state), 'INPUT_INVALID')
  })

  it.each(['/nonexistent', '/dev/null', '/proc/self/mem', '/etc/passwd', `/tmp/${'x'.repeat(300)}`, '/dev/stdin/x'])(
    '%j is not read as one',
    async (directory) => {
      const source = createSource({ directory }, state)
      await expectRefusal(() => source.resolve('HEAD', context), 'SOURCE_UNREACHABLE')
    },
  )
})

describe('the trap of these tests', () => {
  it('has more than 300 cases to catch', () => {
    expect(hostileRefs.length + hostileAddresses.length).toBeGreaterThan(200)
    expect(new Set(hostileRefs).size).toBe(hostileRefs.length)
  })

  // Last: it leaves what the others must not find.
  it('does notice a git that is started', async () => {
    const shell = execFileSync('/usr/bin/which', ['sh'], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } }).trim()
    expect(shell).not.toContain(sandbox)
    const source = createSource({ git: '/srv/web.git' }, state)
    await expect(source.resolve('main', context)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
    expect(readFileSync(started, 'utf8')).toContain('ls-remote')
    expect(listing()).not.toEqual(before)
  })
})
