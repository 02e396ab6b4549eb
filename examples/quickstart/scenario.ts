import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ServiceDefinition } from '@kiwi/core'

const app = join(import.meta.dirname, 'app')

/** A real Git repository with the small web app, and no Dockerfile in it. */
export function makeRepository(directory: string): void {
  cpSync(app, directory, { recursive: true })
  writeFileSync(join(directory, '.gitignore'), 'node_modules/\n')
  git(directory, 'init', '--quiet', '--initial-branch=main')
  commit(directory, 'Say hello')
}

/** Changes what the app says, and commits it. */
export function changeGreeting(directory: string, greeting: string): void {
  const file = join(directory, 'server.js')
  writeFileSync(file, readFileSync(file, 'utf8').replace(/const greeting = '.*'/, `const greeting = '${greeting}'`))
  commit(directory, `Say '${greeting}'`)
}

function commit(directory: string, subject: string): void {
  git(directory, 'add', '--all')
  git(
    directory,
    '-c',
    'user.name=Quickstart',
    '-c',
    'user.email=quickstart@localhost',
    'commit',
    '--quiet',
    `--message=${subject}`,
  )
}

function git(directory: string, ...args: string[]): void {
  execFileSync('git', ['-C', directory, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
}

export function definition(repository: string, baseImage: string, port = 0): ServiceDefinition {
  return {
    name: 'hello',
    source: { git: repository },
    build: { dockerfile: { mode: 'auto' }, baseImage },
    image: { registry: 'embedded', repository: 'hello' },
    environments: {
      production: {
        runtime: 'local',
        replicas: 1,
        strategy: 'blue-green',
        publish: { port },
        health: { path: '/', intervalMs: 1_000 },
        stopGraceMs: 5_000,
      },
    },
  }
}
