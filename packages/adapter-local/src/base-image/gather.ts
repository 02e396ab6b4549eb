import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, copyFile, cp, mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { basename, delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { KiwiError } from '@kiwi/core'

const run = promisify(execFile)

/** The few programs that npm's scripts and shebangs rely on; what this machine lacks is left out. */
const programs = ['sh', 'env', 'ls', 'cat', 'mkdir', 'rm', 'cp', 'mv', 'ln', 'chmod', 'touch', 'id', 'uname']

/**
 * Lays the Node that runs this program out as the root of an image: the executable, npm, a shell and a few core programs, the libraries
 * they are linked against, and the certificate authorities. Throws `TOOL_MISSING` when there is no npm.
 */
export async function gatherNode(root: string, signal: AbortSignal): Promise<void> {
  const programsHere = await Promise.all(programs.map(findProgram))
  const found = programsHere.filter((program) => program !== undefined)
  await copyTo(root, process.execPath, '/usr/local/bin/node')
  for (const program of found) await copyTo(root, program, join('/usr/bin', basename(program)))
  await symlink('usr/bin', join(root, 'bin'))
  signal.throwIfAborted()
  await copyLibraries(root, [process.execPath, ...found])
  signal.throwIfAborted()
  await copyNpm(root)
  await copyCertificates(root)
  await writeAccounts(root)
}

async function findProgram(name: string): Promise<string | undefined> {
  for (const directory of ['/usr/bin', '/bin']) {
    const path = join(directory, name)
    if (await isExecutable(path)) return path
  }
  return undefined
}

async function copyTo(root: string, from: string, to: string): Promise<void> {
  const destination = join(root, to)
  await mkdir(dirname(destination), { recursive: true })
  await copyFile(await realpath(from), destination, constants.COPYFILE_FICLONE)
}

/** Under the very paths that the loader looks in: `ldd` names them. */
async function copyLibraries(root: string, executables: readonly string[]): Promise<void> {
  const { stdout } = await run('ldd', [...executables]).catch(() => ({ stdout: '' })) // a static executable makes ldd fail: nothing to copy
  const libraries = new Set(stdout.match(/\/[^\s:()]+\.so[^\s:()]*/g))
  for (const library of libraries) await copyTo(root, library, library)
}

async function copyNpm(root: string): Promise<void> {
  const npm = await findNpm()
  await cp(npm, join(root, '/usr/local/lib/node_modules/npm'), { recursive: true, dereference: false })
  for (const name of ['npm', 'npx']) {
    await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(root, '/usr/local/bin', name))
  }
}

/** npm says where it is when it started us; else it is found on the path. */
async function findNpm(): Promise<string> {
  const { npm_execpath: running, PATH = '' } = process.env
  const candidates = [running, ...PATH.split(delimiter).map((directory) => join(directory, 'npm'))]
  for (const candidate of candidates) {
    const script = candidate === undefined ? undefined : await realpath(candidate).catch(() => undefined)
    if (script?.endsWith(join('npm', 'bin', 'npm-cli.js'))) return dirname(dirname(script))
  }
  throw new KiwiError('TOOL_MISSING', 'npm is not on the path', {
    hint: 'Install npm (it comes with Node.js), then start again.',
  })
}

async function copyCertificates(root: string): Promise<void> {
  const bundles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem']
  for (const bundle of bundles)
    if (await isReadable(bundle)) return copyTo(root, bundle, '/etc/ssl/certs/ca-certificates.crt')
}

async function writeAccounts(root: string): Promise<void> {
  await mkdir(join(root, 'etc'), { recursive: true })
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n')
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nnode:x:1000:\n')
  await mkdir(join(root, 'root'))
  await mkdir(join(root, 'home/node'), { recursive: true })
}

const isExecutable = (path: string) => access(path, constants.X_OK).then(yes, no)
const isReadable = (path: string) => access(path, constants.R_OK).then(yes, no)
const yes = () => true
const no = () => false
