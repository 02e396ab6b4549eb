import type { Files } from '../../files.js'

export interface Requirements {
  /** Package names in normal form: lower case, `-` for `_` and `.`. */
  readonly names: ReadonlySet<string>
  /** Names other files (`-r`, `-c`), local packages or `-e .`: an install needs more than this file. */
  readonly needsSources: boolean
}

/** Reads requirements.txt by PEP 508's names, never by substring. Undefined when there is none. */
export async function readRequirements(files: Files): Promise<Requirements | undefined> {
  const text = await files.read('requirements.txt')
  if (text === undefined) return undefined
  const lines = text.split('\n').map((line) => line.replace(/(^|\s)#.*$/, '').trim())
  const names = lines.flatMap((line) => /^[A-Za-z0-9][\w.-]*(\[[^\]]*\])?/.exec(line)?.[0] ?? [])
  return {
    names: new Set(names.flatMap((name) => normalize(name))),
    needsSources: lines.some((line) => /^(-r|-c|-e|--requirement|--constraint|--editable|\.|file:)/.test(line)),
  }
}

/** `fastapi[standard]` counts as `fastapi` and `fastapi[standard]`. */
function normalize(written: string): string[] {
  const [name = '', extras] = written.toLowerCase().split('[')
  const normal = name.replace(/[-_.]+/g, '-')
  return extras === undefined
    ? [normal]
    : [
        normal,
        ...extras
          .replace(']', '')
          .split(',')
          .map((extra) => `${normal}[${extra.trim()}]`),
      ]
}
