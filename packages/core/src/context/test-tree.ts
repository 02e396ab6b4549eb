import { createHash } from 'node:crypto'
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../image/test-random.js'

const names = [
  ...['a', 'b', 'ab', 'src', 'lib', 'test', 'node_modules', '.git', '.hidden', 'x.log', 'y.log', 'keep.md', 'index.js'],
  ...['with space', '-rf', 'new\nline', 'back\\slash', "quo'te", 'star*', '[id]', '(group)', '+page.ts', 'constructor'],
  ...['Ünïcode', '日本', '😀', 'e\u0301', `${'l'.repeat(250)}ong`, '😀'.repeat(60), 'é'.repeat(51), 'n'.repeat(100)],
]
const targets = [
  'a',
  '../..',
  '/etc/passwd',
  'missing',
  `${'t/'.repeat(80)}t`,
  'ü',
  'new\nline',
  '../../../outside',
  '.',
]
const sizes = [0, 1, 511, 512, 513, 1024, 70_000, 140_000]

/** A directory of all that a repository can hold: odd names, links that lead nowhere and out, hard links, empty directories. */
export function makeTree(random: Random, directory: string): void {
  const files: string[] = []
  const fill = (inside: string, depth: number) => {
    for (const name of new Set(random.some(depth === 0 ? 12 : 6, () => random.pick(names)))) {
      const path = join(inside, name)
      const kind = random.below(12)
      const original = kind === 11 && files.length > 0 ? random.pick(files) : undefined
      if (original !== undefined) linkSync(original, path)
      else if (kind < 4 && depth < 6) {
        mkdirSync(path, { mode: random.pick([0o755, 0o700, 0o777]) })
        fill(path, depth + 1)
      } else if (kind < 6) symlinkSync(random.pick(targets), path)
      else {
        writeFileSync(path, Buffer.alloc(random.pick(sizes), random.bytes(7)), { mode: 0o600 })
        chmodSync(path, random.pick([0o600, 0o644, 0o755, 0o4711, 0o444]))
        files.push(path)
      }
    }
  }
  mkdirSync(directory, { recursive: true })
  fill(directory, 0)
}

const parts = [
  'a',
  'b',
  'ab',
  'src',
  'node_modules',
  '*',
  '**',
  '?',
  '*.log',
  '*.md',
  'keep.md',
  '.git',
  '[a-c]*',
  '(group)',
  '*o*',
  '😀',
  'l*g',
]

/** The text of a .dockerignore about a tree of these paths: some lines mean one of them, most are patterns. */
export function makeIgnore(random: Random, paths: readonly string[]): string {
  const usable = ['a', ...paths.filter((path) => !path.includes('\n'))]
  const line = () => {
    const real = random.pick(usable).replace(/[*?[\]\\]/g, '\\$&')
    const pattern = [random.pick(parts), ...random.some(2, () => random.pick(parts))].join('/')
    const path = random.chance(0.4) ? real : pattern
    return `${random.chance(0.4) ? '!' : ''}${random.chance(0.1) ? '/' : ''}${path}${random.chance(0.1) ? '/' : ''}`
  }
  return [...random.some(1, () => random.pick(['*', '**', 'a', '*\n!src'])), ...random.some(6, line)].join('\n')
}

/** Everything under a directory, by path: what it is, and a hash of its content. Names of one file have the same `file`. */
export function describeTree(directory: string): Record<string, string> {
  const described: Record<string, string> = Object.create(null)
  const firstNames = new Map<bigint, string>()
  const walk = (inside: string) => {
    for (const name of readdirSync(join(directory, inside)).sort()) {
      const path = inside === '' ? name : `${inside}/${name}`
      const status = lstatSync(join(directory, path), { bigint: true })
      if (status.isDirectory()) {
        described[path] = 'directory'
        walk(path)
      } else if (status.isSymbolicLink()) described[path] = `-> ${readlinkSync(join(directory, path))}`
      else if (status.isFile()) {
        const first = firstNames.get(status.ino) ?? path
        firstNames.set(status.ino, first)
        const mode = status.mode & 0o100n ? 'runs' : 'file'
        described[path] = `${mode} ${hashOf(join(directory, path))} ${first}`
      }
    }
  }
  walk('')
  return described
}

function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 12)
}
