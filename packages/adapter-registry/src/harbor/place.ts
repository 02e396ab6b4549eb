import { KiwiError } from '@kiwi/core'
import { requireRepository } from '../names.js'

/** A repository in a project. */
export interface HarborPlace {
  readonly project: string
  /** Without the project. */
  readonly name: string
}

/** Throws `IMAGE_REFERENCE_INVALID` for a malformed name, and for one without a project, which Harbor answers with a bare 500 or 404. */
export function placeOf(repository: string): HarborPlace {
  const [project = '', ...rest] = requireRepository(repository).split('/')
  if (rest.length > 0) return { project, name: rest.join('/') }
  throw new KiwiError(
    'IMAGE_REFERENCE_INVALID',
    `'${repository}' names no project: on Harbor an image is PROJECT/NAME`,
    {
      hint: `Set the project (namespace) in the image settings, as in team/${repository}.`,
    },
  )
}

export function projectPath(project: string): string {
  return `/projects/${encodeURIComponent(project)}`
}

/** Harbor decodes the name twice (swagger, `repositoryName`). */
export function repositoryPath({ project, name }: HarborPlace): string {
  return `${projectPath(project)}/repositories/${encodeURIComponent(encodeURIComponent(name))}`
}

export function artifactPath(place: HarborPlace, reference: string): string {
  return `${repositoryPath(place)}/artifacts/${encodeURIComponent(reference)}`
}
