import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** A repository for tests, in a temporary folder. */
export interface TestRepository {
  readonly directory: string
  git(...args: string[]): string
  /** Writes the files, commits them, and gives the commit. */
  commit(subject: string, files?: Readonly<Record<string, string | Uint8Array>>): string
}

const directories: string[] = []

export function testDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'kiwi-source-')))
  directories.push(directory)
  return directory
}

/** Call it in `afterAll`. */
export function removeTestDirectories(): void {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
}

/** On branch `main`, without commits. */
export function testRepository({ hash = 'sha1' }: { readonly hash?: 'sha1' | 'sha256' } = {}): TestRepository {
  const directory = testDirectory()
  const git = (...args: string[]) =>
    execFileSync('git', args, {
      cwd: directory,
      encoding: 'utf8',
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim()
  git('init', '--quiet', '--initial-branch=main', `--object-format=${hash}`)
  return {
    directory,
    git,
    commit(subject, files = {}) {
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(directory, name)), { recursive: true })
        writeFileSync(join(directory, name), content)
      }
      git('add', '--all')
      git('commit', '--quiet', '--allow-empty', '--message', subject)
      return git('rev-parse', 'HEAD')
    },
  }
}

const environment = {
  PATH: process.env.PATH,
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Ana',
  GIT_AUTHOR_EMAIL: 'ana@example.com',
  GIT_AUTHOR_DATE: '2026-01-02T03:04:05Z',
  GIT_COMMITTER_NAME: 'Ana',
  GIT_COMMITTER_EMAIL: 'ana@example.com',
  GIT_COMMITTER_DATE: '2026-01-02T03:04:05Z',
}
