import { pipe } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'
import { randomImage } from '../../testing/image.js'
import { type DockerHub, dockerHub } from '../index.js'
import { type FakeHub, fakeHub } from './fake-hub.js'

const secrets = { RIGHT: 'dckr_pat_Right-1', WRONG: 'dckr_pat_Wrong-1' }
export const context = () => testContext({ secrets })

export interface Opened extends AsyncDisposable {
  readonly server: FakeHub
  /** Signed in as one of the accounts, or as nobody. */
  open(username?: string, secret?: keyof typeof secrets): DockerHub
  /** Pushes an image as the owner of the namespace. Answers its digest. */
  push(repository: string, ...tags: readonly string[]): Promise<string>
}

/** A fake Docker Hub with an account for each kind of access token, and the registries that were opened on it. */
export async function openedHub(): Promise<Opened> {
  const account = (token: 'read' | 'write' | 'admin', kind: 'user' | 'organization' = 'user') => ({
    secret: secrets.RIGHT,
    kind,
    token,
  })
  const server = await fakeHub({
    acme: account('admin'),
    dana: account('admin'),
    reader: account('read'),
    writer: account('write'),
    company: account('admin', 'organization'),
  })
  const opened: DockerHub[] = []
  const open = (username?: string, secret: keyof typeof secrets = 'RIGHT') => {
    const credentials = username === undefined ? undefined : { username, password: { secret } }
    const registry = dockerHub({ credentials, retry: { tries: 2, firstWaitMs: 1 } })
    opened.push(registry)
    return registry
  }
  return {
    server,
    open,
    async push(repository, ...tags) {
      const image = randomImage({ layers: 1 })
      const [namespace] = repository.split('/')
      for (const tag of tags) await pipe(image, open(namespace).sink(repository), { tag }, context())
      return image.root.digest
    },
    async [Symbol.asyncDispose]() {
      for (const one of [...opened, server]) await one[Symbol.asyncDispose]()
    },
  }
}
