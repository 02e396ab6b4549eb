import { KiwiError } from '@kiwi/core'
import type { CopySource, Where } from './copy-sources.js'

/** First bytes of what ADD would unpack, whatever its name. */
const archiveMarks: readonly (readonly [number, string])[] = [
  [0, '1f8b'],
  [0, '425a68'],
  [0, 'fd377a585a00'],
  [0, '28b52ffd'],
  [257, '7573746172'],
]

/** ADD unpacks archives; this builder does not. Rejects with `BUILDER_UNFIT`. */
export async function refuseArchive({ root, tree }: CopySource, { line, instruction }: Where): Promise<void> {
  if (root.type !== 'file') return
  const content = tree.content(root)
  let first: Uint8Array = new Uint8Array()
  if (content instanceof Uint8Array) first = content
  else {
    for await (const chunk of content()) {
      first = chunk
      break
    }
  }
  const hex = Buffer.from(first.subarray(0, 512)).toString('hex')
  if (!archiveMarks.some(([offset, mark]) => hex.startsWith(mark, offset * 2))) return
  throw new KiwiError('BUILDER_UNFIT', `line ${line}: this builder cannot unpack ${root.path} with ADD`, {
    hint: 'Use COPY and unpack it with RUN tar.',
    evidence: { path: root.path, line, instruction },
  })
}
