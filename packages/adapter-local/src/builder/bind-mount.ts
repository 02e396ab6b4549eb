import { chmod, lchown, link, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CopySource, findSources } from './copy-sources.js'
import { rowsOf } from './copy-step.js'
import { layersFrom, treeFrom } from './from-tree.js'
import { keyOf } from './key.js'
import type { MountSpec, MountSurroundings, PreparedMount } from './run-mounts.js'
import { belowOf } from './session.js'

/**
 * `--mount=type=bind`: a copy of what is asked for, so that neither the step's writes nor links in it reach anything else. Of the build
 * context the key is what is shown; of a stage or an image, which one it is.
 */
export async function bindMount(spec: MountSpec, surroundings: MountSurroundings): Promise<PreparedMount> {
  const { session, stage, where } = surroundings
  const { target, source = '/', from, readwrite } = spec
  const readOnly = readwrite !== 'true'
  const said = ['bind', target, source, String(readOnly)]
  const named = from === undefined ? undefined : await session.contexts.open(from, stage)
  if (from !== undefined && from !== '' && named === undefined) {
    const layers = await layersFrom(session, stage, from)
    const find = async () => findSources(await treeFrom(session, stage, { from, layers }), [source], where)
    return { key: keyOf(...said, belowOf(layers)), hold: holder(find, target, readOnly) }
  }
  const found = await findSources(named ?? session.tree, [source], where)
  const rows = rowsOf(found)
  return {
    key: keyOf(...said, JSON.stringify(rows)),
    files: Object.fromEntries(rows.map(([path, , digest]) => [path, digest])),
    hold: holder(async () => found, target, readOnly),
  }
}

function holder(find: () => Promise<CopySource[]>, target: string, readOnly: boolean): PreparedMount['hold'] {
  return async (folder, use) => {
    const [source] = await find()
    if (source === undefined) throw new TypeError('a source that is not there is refused before')
    const place = join(folder, 'shown')
    await writeFiles(source, place)
    const type = source.root.type === 'directory' ? 'directory' : 'file'
    return use([{ kind: 'host', source: place, target, type, readOnly }])
  }
}

/** Parents come before what is in them; nothing is written through a link, as no path goes through one. */
async function writeFiles({ tree, files }: CopySource, place: string): Promise<void> {
  const names = new Map<string, string>()
  for (const { entry, path } of files) {
    const target = path === '' ? place : join(place, path)
    const first = entry.file === undefined ? undefined : names.get(entry.file)
    if (entry.type === 'directory') await mkdir(target)
    else if (entry.type === 'symlink') await symlink(entry.link ?? '', target)
    else if (first !== undefined) await link(first, target)
    else {
      const content = tree.content(entry)
      await writeFile(target, content instanceof Uint8Array ? content : content())
      if (entry.file !== undefined) names.set(entry.file, target)
    }
    if (process.getuid?.() === 0) await lchown(target, entry.uid, entry.gid)
    if (entry.type !== 'symlink') await chmod(target, entry.mode)
  }
}
