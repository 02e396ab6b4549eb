/** Where administrators' programs lie even when an ordinary user's PATH leaves them out. */
export const toolPath = [process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']
  .filter(Boolean)
  .join(':')
