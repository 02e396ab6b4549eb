/**
 * @typedef {object} Known a difference that is meant to be there
 * @property {string} oracle
 * @property {string | RegExp} entries the name, or what names match
 * @property {string[]} facets all that differ; one that ends in * stands for every facet that begins so
 * @property {boolean} [always] false: it need not occur in each of the entries
 * @property {string} because
 *
 * @param {{ name: string, oracle: string, facets: string[], outcome: string }} found
 * @param {readonly Known[]} list
 * @returns {{ verdict: string, wrong?: string }}
 */
export function judge({ name, oracle, facets, outcome }, list) {
  const known = list.filter((one) => one.oracle === oracle && isOf(one, name))
  const unexplained = facets.filter((facet) => !known.some((one) => one.facets.some((it) => covers(it, facet))))
  if (unexplained.length > 0) return { verdict: 'FAULT', wrong: `undocumented: ${unexplained.slice(0, 6).join(', ')}` }
  const gone = known.filter(
    (one) => one.always !== false && !one.facets.some((it) => facets.some((at) => covers(it, at))),
  )
  if (gone[0] !== undefined)
    return { verdict: 'FAULT', wrong: `no longer differs, though it should: ${gone[0].because}` }
  if (facets.length === 0) return { verdict: outcome === 'fails' ? 'equal: both fail' : 'equal' }
  const seen = known.filter((one) => one.facets.some((it) => facets.some((at) => covers(it, at))))
  return { verdict: `differs: ${seen.map(({ because }) => because).join('; ')}` }
}

/**
 * @param {Known} known
 * @param {string} name
 */
function isOf({ entries }, name) {
  return typeof entries === 'string' ? entries === name : entries.test(name)
}

/**
 * @param {string} pattern
 * @param {string} facet
 */
function covers(pattern, facet) {
  return pattern.endsWith('*') ? facet.startsWith(pattern.slice(0, -1)) : pattern === facet
}
