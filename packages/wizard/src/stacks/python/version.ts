import type { Files } from '../../files.js'
import { describe, evidenceAt } from '../../search.js'
import type { Choice } from '../../stack.js'

const newest = 13
const oldest = 9

/** `3.X` from .python-version or runtime.txt, else what `requires-python` allows, else a default. */
export async function readPythonVersion(files: Files): Promise<Choice<string>> {
  for (const file of ['.python-version', 'runtime.txt']) {
    const version = /^(?:python-)?(3\.\d{1,2})(?![\d])/m.exec((await files.read(file)) ?? '')?.[1]
    if (version !== undefined) return { value: version, reason: `${file} asks for Python ${version}.` }
  }
  const text = (await files.read('pyproject.toml')) ?? ''
  const pattern = /^requires-python\s*=\s*["']([^"']+)["']/m
  const range = pattern.exec(text)?.[1]
  const minor = range === undefined ? undefined : newestAllowed(range)
  if (range === undefined || minor === undefined) {
    return {
      value: `3.${newest}`,
      reason: 'Nothing the wizard reads pins a version; most packages have wheels for this one.',
    }
  }
  const place = describe(evidenceAt('pyproject.toml', text, pattern, 'python/requires-python'))
  return { value: `3.${minor}`, reason: `The newest that requires-python ${range} allows (${place}).` }
}

function newestAllowed(range: string): number | undefined {
  const clauses = [...range.matchAll(/(~=|==|!=|<=|>=|<|>)\s*3(?:\.(\d+))?([\d.*]*)/g)]
  for (let minor = newest; minor >= oldest; minor -= 1) {
    if (clauses.every(([, operator, bound, rest]) => allows(operator ?? '', Number(bound ?? 0), rest ?? '', minor)))
      return minor
  }
  return undefined
}

/** Read at the precision of `3.X`; `~=3.9` allows later minors, `~=3.9.1` does not. */
function allows(operator: string, bound: number, rest: string, minor: number): boolean {
  if (operator === '>=' || (operator === '~=' && rest === '')) return minor >= bound
  if (operator === '>') return rest === '' ? minor > bound : minor >= bound
  if (operator === '<=' || (operator === '<' && /[1-9]/.test(rest))) return minor <= bound
  if (operator === '<') return minor < bound
  if (operator === '!=') return rest !== '' && rest !== '.*' ? true : minor !== bound
  return minor === bound
}
