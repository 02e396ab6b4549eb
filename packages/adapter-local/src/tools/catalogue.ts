/** The programs of the host that this package starts, each with the Debian package that brings it. */
export const tools = {
  base64: 'coreutils',
  bzip2: 'bzip2',
  chroot: 'coreutils',
  env: 'coreutils',
  ln: 'coreutils',
  mkdir: 'coreutils',
  mount: 'mount',
  setpriv: 'util-linux',
  sh: 'dash',
  tar: 'tar',
  unshare: 'util-linux',
  xz: 'xz-utils',
} as const

export type Tool = keyof typeof tools
