import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, relative } from 'node:path'

/**
 * Moves what was built to where it is read, file by file and so never half written, and removes the files of the same kind
 * that are no longer made. Files of another kind stay.
 * @param {string} from
 * @param {string} to
 * @param {RegExp} kind of file name
 */
export function replaceFiles(from, to, kind) {
  const made = filesIn(from, kind)
  for (const path of made) {
    mkdirSync(dirname(`${to}/${path}`), { recursive: true })
    renameSync(`${from}/${path}`, `${to}/${path}`)
  }
  for (const path of filesIn(to, kind).filter((path) => !made.includes(path))) rmSync(`${to}/${path}`)
  rmSync(from, { recursive: true })
}

/**
 * @param {string} directory
 * @param {RegExp} kind
 */
function filesIn(directory, kind) {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && kind.test(entry.name))
    .map((entry) => relative(directory, `${entry.parentPath}/${entry.name}`))
}
