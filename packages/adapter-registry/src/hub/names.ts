import { KiwiError } from '@kiwi/core'
import { requireRepository } from '../names.js'

/** A repository as Docker Hub's API asks for it. */
export interface HubPlace {
  readonly namespace: string
  readonly name: string
  /** Both, as in `library/nginx`. */
  readonly full: string
}

/** Where Docker keeps the official images, whose names are written without it. */
const official = 'library'
const shortest = 2

/**
 * Throws `IMAGE_REFERENCE_INVALID` for what can be on no Docker Hub: repositories there are two names deep, and a name has two characters at least
 * (Docker's description of its registry API, "Overview", and of `repo_creation_request`). What else new names may not have, Docker Hub says itself.
 */
export function placeOf(repository: string): HubPlace {
  const parts = requireRepository(repository).split('/')
  const [namespace = official, name = ''] = parts.length === 1 ? [official, ...parts] : parts
  if (parts.length > 2) throw invalid(repository, 'is too deep: on Docker Hub an image is NAMESPACE/NAME')
  if (name.length < shortest) throw invalid(repository, `is too short: names have ${shortest} characters at least`)
  return { namespace, name, full: `${namespace}/${name}` }
}

/** As `placeOf`, of what is to be written: only Docker itself writes official images. */
export function ownPlaceOf(repository: string): HubPlace {
  const place = placeOf(repository)
  if (repository.includes('/')) return place
  throw invalid(repository, 'names no namespace: on Docker Hub your images are NAMESPACE/NAME', {
    hint: `Set the namespace in the image settings: your Docker ID or your organization, as in acme/${repository}.`,
  })
}

function invalid(repository: string, why: string, options: { readonly hint?: string } = {}): KiwiError {
  return new KiwiError('IMAGE_REFERENCE_INVALID', `'${repository}' ${why}`, options)
}
