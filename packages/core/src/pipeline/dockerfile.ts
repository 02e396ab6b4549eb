import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KiwiError } from '../errors/kiwi-error.js'
import type { BuildSettings } from '../model/service.js'
import type { ChosenDockerfile } from './recipe.js'
import { askWizard } from './wizard.js'

/** The path given, the nearest one found, or what the wizard writes. Rejects with `DOCKERFILE_MISSING` or `STACK_UNKNOWN`. */
export async function chooseDockerfile(directory: string, settings: BuildSettings): Promise<ChosenDockerfile> {
  const { dockerfile = 'auto', context = '.' } = settings
  if (dockerfile === 'wizard') return askWizard(join(directory, context), settings.baseImage)
  if (dockerfile !== 'auto') return read(directory, dockerfile, 'path', [])
  const [nearest, ...others] = await find(directory, context)
  if (nearest !== undefined) return read(directory, nearest, 'found', others)
  return askWizard(join(directory, context), settings.baseImage)
}

/** In the context, then at the root; plain names before `Dockerfile.prod` and the like. */
async function find(directory: string, context: string): Promise<string[]> {
  const places = context === '.' ? ['.'] : [context, '.']
  const found = await Promise.all(places.map((place) => dockerfilesIn(directory, place)))
  return found.flat()
}

async function dockerfilesIn(directory: string, place: string): Promise<string[]> {
  const names = await readdir(join(directory, place)).catch(() => [])
  const matching = names.filter(
    (name) => /^(?:Dockerfile|Containerfile)(?:\..+)?$/.test(name) && !name.endsWith('.dockerignore'),
  )
  return matching
    .toSorted((one, other) => one.length - other.length || (one < other ? -1 : 1))
    .map((name) => join(place, name))
}

async function read(
  directory: string,
  path: string,
  from: 'path' | 'found',
  others: readonly string[],
): Promise<ChosenDockerfile> {
  try {
    return { from, path, text: await readFile(join(directory, path), 'utf8'), reasons: [], others }
  } catch (cause) {
    const there = await find(directory, '.')
    const known = there.length > 0 ? `; there is ${there.join(', ')}` : ''
    throw new KiwiError('DOCKERFILE_MISSING', `the repository has no ${path}${known}`, {
      cause,
      evidence: { path, found: there },
    })
  }
}
