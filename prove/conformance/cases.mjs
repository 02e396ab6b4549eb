/**
 * One test of the suite.
 * @typedef {{ name: string, status: string, reason: string }} Case `reason`: of a skip or a failure
 */

export const workflows = ['pull', 'push', 'content discovery', 'content management']

/**
 * Reads the suite's junit.xml. It escapes whatever a registry answered, so tags are tags.
 * @param {string} junit
 * @returns {Case[]}
 */
export function readCases(junit) {
  const found = junit.matchAll(/<testcase name="([^"]*)"[^>]*? status="([^"]*)"[^>]*>([\s\S]*?)<\/testcase>/g)
  const cases = [...found].map(([, name = '', status = '', body = '']) => ({
    name: unescaped(name).replace(/^OCI Conformance Test\//, ''),
    status,
    reason: status === 'passed' ? '' : reasonOf(body),
  }))
  const written = junit.split('<testcase ').length - 1
  if (cases.length !== written) throw new Error(`${written} tests ran, ${cases.length} could be read`)
  // the totals count groups of tests, too
  const [, failures = '0', errors = '0'] = /<testsuite [^>]*? failures="(\d+)" errors="(\d+)"/.exec(junit) ?? []
  const isFailed = cases.some(({ status }) => status !== 'passed' && status !== 'skipped')
  if (!isFailed && failures + errors !== '00') throw new Error('the suite failed, and no test of it')
  return cases
}

/**
 * By what a test asks of the registry: the last part of its name.
 * @param {string} name `sha256 blobs/stream/blob-patch-stream`
 */
export function workflowOf(name) {
  const [action = '', phase = ''] = name.split('/').reverse()
  if (/^(tag.?list|referrers)$/.test(action)) return 'content discovery'
  if (/delete/.test(action)) return 'content management'
  if (/(put|post|patch|mount|push)/.test(action) || phase === 'push') return 'push'
  return 'pull'
}

/** @param {string} body of a testcase */
function reasonOf(body) {
  const [, out] = /<system-out>([\s\S]*?)<\/system-out>/.exec(body) ?? []
  const [, log = ''] = /<system-err>([\s\S]*?)<\/system-err>/.exec(body) ?? []
  const lines = unescaped(out ?? log).split('\n')
  const told = lines.filter((line) => !line.endsWith('skipping test:')).map((line) => line.trim())
  return told.filter(Boolean).slice(0, 3).join(' ').slice(0, 400) || 'the suite gives no reason'
}

/** @param {string} text */
function unescaped(text) {
  return text
    .replace(/&#x([0-9A-Fa-f]+);|&#(\d+);/g, (_, hex, decimal) =>
      String.fromCodePoint(hex ? parseInt(hex, 16) : Number(decimal)),
    )
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&apos;/g, "'")
    .replace(/&amp;/g, '&')
}
