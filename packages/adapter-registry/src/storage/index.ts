import { type Content, openContent } from './content.js'
import { openRepositories, type Repositories } from './repositories.js'
import { openUploads, type Uploads } from './uploads.js'

/** A registry's folder. Several processes may use it at a time: every write is whole or not there. */
export interface Storage {
  readonly directory: string
  readonly content: Content
  readonly uploads: Uploads
  readonly repositories: Repositories
}

/** Opens the folder; it is made on the first write. */
export function openStorage(directory: string): Storage {
  const content = openContent(directory)
  return { directory, content, uploads: openUploads(directory, content), repositories: openRepositories(directory) }
}
