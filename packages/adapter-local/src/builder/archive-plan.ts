import { posix } from 'node:path'
import { KiwiError } from '@kiwi/core'
import { isKeptAttribute, parentOf, resolvePath } from '../layers/index.js'
import { addParents, joined, type Planned, type Surroundings } from './copy-plan.js'
import type { ArchivedFile } from './open-archive.js'

/**
 * Lays out what an archive unpacks below a directory, as tar would: a later entry takes the place of an earlier one, and links on the way,
 * of the image or of the archive, are followed inside the image's root. Owners are the archive's unless ADD says. Rejects with `CONTEXT_INVALID`.
 */
export function layArchive(
  planned: Map<string, Planned>,
  files: readonly ArchivedFile[],
  place: string,
  surroundings: Surroundings,
): void {
  const { target, view, where } = surroundings
  const linkAt = (path: string) => {
    const own = planned.get(path)
    return own === undefined ? view.lookup(path)?.entry.link : own.header.link
  }
  const pathOf = (name: string) => {
    const clean = cleanName(name, surroundings)
    if (clean === '') return place
    const whole = joined(place, clean)
    return joined(resolvePath(parentOf(whole), linkAt), posix.basename(whole))
  }
  addParents(planned, joined(place, 'x'), target, view, where)
  for (const { header, spooled } of files) {
    const path = pathOf(header.name)
    if (path === place && header.type !== 'directory')
      throw refused(header.name, 'would replace the destination', surroundings)
    addParents(planned, path, target, view, where)
    if (header.type !== 'directory') removeBelow(planned, path)
    if (header.type === 'hardlink') addName(planned, path, pathOf(header.link ?? ''), surroundings)
    else planned.set(path, { header: headerOf(header, surroundings), spooled })
  }
}

function headerOf(
  { type, mode, uid, gid, size, link, attributes = {} }: ArchivedFile['header'],
  surroundings: Surroundings,
): Planned['header'] {
  if (type !== 'file' && type !== 'directory' && type !== 'symlink')
    throw refused(type, 'cannot be unpacked by ADD', surroundings)
  const kept = Object.entries(attributes).filter(([name]) => isKeptAttribute(name))
  return {
    type,
    mode,
    ...(surroundings.target.owner ?? { uid, gid }),
    size,
    ...(link !== undefined && { link }),
    ...(kept.length > 0 && { attributes: Object.fromEntries(kept) }),
  }
}

/** A hard link: a further name of a file that the archive brought before. */
function addName(planned: Map<string, Planned>, path: string, first: string, surroundings: Surroundings): void {
  const original = planned.get(first)
  if (original === undefined || original.header.type !== 'file') {
    throw refused(path, `is a hard link to ${first}, which the archive does not bring before`, surroundings)
  }
  const shared = { ...original, file: original.file ?? `archive:${first}` }
  planned.set(first, shared)
  planned.set(path, shared)
}

function removeBelow(planned: Map<string, Planned>, path: string): void {
  if (planned.get(path)?.header.type !== 'directory') return
  for (const name of planned.keys()) if (name.startsWith(`${path}/`)) planned.delete(name)
}

function cleanName(name: string, surroundings: Surroundings): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) throw refused(name, 'leads out of the archive', surroundings)
  return parts.join('/')
}

function refused(name: string, why: string, { where: { line, instruction } }: Surroundings): KiwiError {
  return new KiwiError('CONTEXT_INVALID', `line ${line}: ${name} in the archive ${why}`, {
    hint: 'COPY the archive and unpack it with RUN, if this is meant.',
    evidence: { name, line, instruction },
  })
}
