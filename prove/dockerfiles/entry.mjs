/**
 * One Dockerfile of the corpus.
 * @typedef {object} Entry
 * @property {string} name
 * @property {string} trap what goes wrong in builders that do not know it
 * @property {string} dockerfile
 * @property {Record<string, string | ContextFile>} [files] of the context; a trailing slash makes a directory
 * @property {Record<string, string>} [args]
 * @property {string} [target]
 *
 * @typedef {object} ContextFile
 * @property {string} [text]
 * @property {number} [mode]
 * @property {string} [symlink]
 * @property {string} [hardlink] a path in the context
 * @property {Record<string, string | ContextFile>} [archive] packed with GNU tar
 * @property {'gzip' | 'bzip2' | 'xz'} [compress] of the archive
 */
export {}
