/** What an archive says about one file (POSIX.1-2001 pax, with GNU's long names understood). */
export interface TarHeader {
  /** As written, without a trailing slash. */
  readonly name: string
  readonly type: TarType
  /** Permission bits with set-id and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes of content that follow; 0 for anything but a file. */
  readonly size: number
  readonly mtimeSeconds: number
  /** Target of a symlink as it is; of a hard link the name in the archive. */
  readonly link?: string | undefined
  /** Devices only. */
  readonly device?: { readonly major: number; readonly minor: number } | undefined
  /** Extended attributes, byte for byte: `security.capability` and the like are no text. */
  readonly attributes?: Readonly<Record<string, Buffer>> | undefined
}

export type TarType = 'file' | 'hardlink' | 'symlink' | 'character-device' | 'block-device' | 'directory' | 'fifo'

/** The type flag of each type. */
export const typeFlags: Readonly<Record<TarType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
}

export const blockBytes = 512

/** pax keyword under which GNU tar, Go and libarchive keep an extended attribute. */
export const attributePrefix = 'SCHILY.xattr.'
