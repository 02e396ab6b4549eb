import { describe, expect, it } from 'vitest'
import { gitSource } from './git.js'
import { readRepositoryAddress } from './url.js'

describe('a repository address', () => {
  it.each([
    ['https://example.com/team/web.git', 'https', 'https://example.com/team/web.git', 'https://example.com/'],
    ['https://EXAMPLE.com:8443/web', 'https', 'https://example.com:8443/web', 'https://example.com:8443/'],
    ['http://127.0.0.1:3000/web.git', 'http', 'http://127.0.0.1:3000/web.git', 'http://127.0.0.1:3000/'],
    ['http://[::1]:3000/web.git', 'http', 'http://[::1]:3000/web.git', 'http://[::1]:3000/'],
    ['ssh://git@example.com:2222/team/web.git', 'ssh', 'ssh://git@example.com:2222/team/web.git', undefined],
    ['git+ssh://git@example.com/team/web.git', 'ssh', 'ssh://git@example.com/team/web.git', undefined],
    ['git@example.com:team/web.git', 'ssh', 'git@example.com:team/web.git', undefined],
    ['/srv/git/web.git', 'file', '/srv/git/web.git', undefined],
  ])('%s is %s', (text, protocol, url, origin) => {
    expect(readRepositoryAddress(text)).toEqual({ protocol, url, ...(origin !== undefined && { origin }) })
  })

  it.each([
    '',
    'web.git',
    './web.git',
    '../web.git',
    'ext::sh -c touch% /tmp/x',
    'EXT::sh',
    'fd::17',
    'file:///srv/git/web.git',
    'git://example.com/web.git',
    'ftp://example.com/web.git',
    'http://example.com/web.git',
    'http://127.0.0.1.example.com/web.git',
    'http://localhost.example.com/web.git',
    'https://user:password@example.com/web.git',
    'https://token@example.com/web.git',
    'https://example.com/web.git?a=b',
    'https://example.com/web.git#main',
    'https://example.com',
    'https://exa mple.com/web.git',
    'https://example.com/web\n.git',
    'https:\\\\example.com\\web',
    '--upload-pack=touch /tmp/x',
    '-u',
    'ssh://-oProxyCommand=touch%20x/web.git',
    'ssh://-oProxyCommand=x@example.com/web.git',
    'ssh://git:password@example.com/web.git',
    'git@-oProxyCommand=x:web.git',
    '-oProxyCommand=x@example.com:web.git',
    'git@example.com:-web.git',
    'git@example.com::web.git',
    'example.com:web.git',
    `https://example.com/${'x'.repeat(2000)}`,
  ])('%j is refused before anything is done with it', (text) => {
    expect(() => gitSource({ git: text }, { directory: '/nonexistent' })).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID', effect: 'none' }),
    )
  })

  it('does not repeat a password that it refuses', () => {
    expect(() => readRepositoryAddress('https://user:open-sesame@example.com/web.git')).toThrow(
      /^(?!.*sesame).*password/,
    )
  })

  it('refuses a token that would never be used', () => {
    expect(() => gitSource({ git: '/srv/web.git', token: { secret: 'TOKEN' } }, { directory: '/nonexistent' })).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID' }),
    )
  })
})
