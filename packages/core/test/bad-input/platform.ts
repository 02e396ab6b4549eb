import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import {
  type BuildRequest,
  createKiwi,
  type ErrorRecord,
  type Kiwi,
  KiwiError,
  type KiwiOptions,
  type ServiceDefinition,
  sqliteStore,
} from '@kiwi/core'
import { memoryBuilder, memoryRegistry, memoryRuntime } from '@kiwi/core/testing'

/** What an internal platform has around it: a real Git repository, a store on the disk, and adapters that write down what reaches them. */
export interface Platform extends AsyncDisposable {
  readonly directory: string
  readonly repository: string
  readonly storePath: string
  readonly requests: BuildRequest[]
  readonly runtime: ReturnType<typeof memoryRuntime>
  readonly registry: ReturnType<typeof memoryRegistry>
  /** Opens the store again, as the same program does when it is started again. */
  open(options?: Partial<KiwiOptions>): Promise<Kiwi>
  definition(changes?: Partial<ServiceDefinition>): ServiceDefinition
  git(...args: readonly string[]): string
  commit(files: Readonly<Record<string, string>>): string
}

export function createPlatform(): Platform {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'kiwi-bad-input-')))
  const repository = join(directory, 'repository')
  const storePath = join(directory, 'state', 'kiwi.sqlite')
  const requests: BuildRequest[] = []
  const runtime = memoryRuntime()
  const registry = memoryRegistry()
  const opened: { close(): Promise<void> }[] = []
  const note = (request: BuildRequest) => {
    requests.push(request)
    return undefined
  }
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { encoding: 'utf8' })
  mkdirSync(repository)
  git('init', '--quiet', '--initial-branch=main')
  const commit: Platform['commit'] = (files) => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(repository, name)), { recursive: true })
      writeFileSync(join(repository, name), text)
    }
    git('add', '--all')
    git('commit', '--quiet', '--allow-empty', '--message=change')
    return git('rev-parse', 'HEAD').trim()
  }
  return {
    directory,
    repository,
    storePath,
    requests,
    runtime,
    registry,
    git,
    commit,
    async open(options = {}) {
      const store = sqliteStore({ path: storePath })
      const kiwi = await createKiwi({
        builders: { memory: memoryBuilder({ fails: note }) },
        registries: { memory: registry },
        runtimes: { memory: runtime },
        store,
        directory: join(directory, 'state'),
        secrets: () => undefined,
        ...options,
      })
      opened.push(kiwi, store)
      return kiwi
    },
    definition: (changes = {}) => ({
      name: 'web',
      source: { git: repository },
      image: { registry: 'memory', repository: 'web', tag: '${BUILD_NUMBER}' },
      environments: { production: { runtime: 'memory', strategy: 'blue-green', health: { path: '/' } } },
      ...changes,
    }),
    async [Symbol.asyncDispose]() {
      for (const one of opened) await one.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

export const asked = { ref: 'main', environment: 'production', by: 'ana' } as const

/** The error with which a call or its run ended; anything but a `KiwiError` is thrown on. */
export async function refusalOf(call: Promise<unknown>): Promise<ErrorRecord> {
  try {
    const answer = await call
    if (typeof answer === 'object' && answer !== null && 'result' in answer) await answer.result
  } catch (error) {
    if (KiwiError.is(error)) return error.toRecord()
    throw error
  }
  throw new Error('it was accepted')
}
