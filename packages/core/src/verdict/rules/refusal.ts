import type { KiwiError } from '../../errors/kiwi-error.js'
import type { Diagnosis } from '../diagnosis.js'
import { imageDenied, imageMissing, imageUnavailable } from './image.js'
import type { About } from './table.js'

/** What it means that the runtime refused a write because it could not get the image; `undefined` for any other reason. */
export function refusal(
  { code, message }: KiwiError,
  { image: { name } }: Pick<About, 'image'>,
): Diagnosis | undefined {
  switch (code) {
    case 'MANIFEST_UNKNOWN':
      return imageMissing(name, message, { message })
    case 'REGISTRY_DENIED':
    case 'REGISTRY_UNAUTHORIZED':
      return imageDenied(name, message, { message })
    case 'RATE_LIMITED':
    case 'REGISTRY_FAILED':
    case 'REGISTRY_UNREACHABLE':
      return imageUnavailable(name, message, { message })
    default:
      return undefined
  }
}
