/** What the wizard reads: paths are relative, with `/`, without a leading `./`. */
export interface Files {
  /** All regular files, sorted; what is installed or generated (node_modules, .git and the like) is left out. */
  list(): Promise<readonly string[]>
  /** The text of one file; undefined when there is no such file. */
  read(path: string): Promise<string | undefined>
}

/** Files held in memory: path to text. */
export function memory(files: Readonly<Record<string, string>>): Files {
  return {
    list: async () => Object.keys(files).sort(),
    read: async (path) => (Object.hasOwn(files, path) ? files[path] : undefined),
  }
}
