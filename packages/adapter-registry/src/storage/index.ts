import { type Collected, type CollectOptions, collectGarbage } from './collect.js'
import { type Content, openContent } from './content.js'
import { openRepositories, type Repositories } from './repositories.js'
import { openUploads, type Uploads } from './uploads.js'

/** A registry's folder. Several processes may use it at a time: every write is whole or not there. */
export interface Storage {
  readonly directory: string
  readonly content: Content
  readonly uploads: Uploads
  readonly repositories: Repositories
  /** Removes what nobody needs, and uploads that nobody goes on with. */
  collect(options?: CollectOptions): Promise<Collected>
}

export type { Collected, CollectOptions }

/** An upload that nobody touched for a day belongs to a client that is gone. */
export const uploadLifeMs = 24 * 60 * 60 * 1000

/** Opens the folder; it is made on the first write. */
export function openStorage(directory: string): Storage {
  const content = openContent(directory)
  const uploads = openUploads(directory, content)
  return {
    directory,
    content,
    uploads,
    repositories: openRepositories(directory),
    async collect(options = {}) {
      await uploads.purge(options.olderThanMs ?? uploadLifeMs)
      return collectGarbage(directory, options)
    },
  }
}
