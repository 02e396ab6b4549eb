import { isDeepStrictEqual } from 'node:util'

/** What an image says when it says nothing. */
const emptyValues = ['', null, undefined, false]

/**
 * @typedef {{ facet: string, ours: string, theirs: string }} Difference `facet` is `outcome`, `history`, `config.NAME` or `files.PATH`
 * @param {import('./image.mjs').Outcome} ours
 * @param {import('./image.mjs').Outcome} theirs
 * @returns {Difference[]}
 */
export function compare(ours, theirs) {
  if (ours.outcome === 'fails' || theirs.outcome === 'fails') {
    const [one, other] = [ours, theirs].map((it) => (it.outcome === 'fails' ? `fails: ${it.kind}` : 'built'))
    if (one === other) return []
    return [{ facet: 'outcome', ours: sayOutcome(ours), theirs: sayOutcome(theirs) }]
  }
  return [
    ...compareMaps('config.', settled(ours.config), settled(theirs.config)),
    ...compareMaps('', { history: ours.empty }, { history: theirs.empty }),
    ...compareMaps('files.', ours.files, theirs.files),
  ]
}

/** @param {import('./image.mjs').Outcome} outcome */
function sayOutcome(outcome) {
  return outcome === undefined || outcome.outcome === 'built' ? 'built' : `fails (${outcome.kind}): ${outcome.message}`
}

/**
 * @param {string} prefix
 * @param {Record<string, unknown>} ours
 * @param {Record<string, unknown>} theirs
 */
function compareMaps(prefix, ours, theirs) {
  const names = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].sort()
  return names
    .filter((name) => !isDeepStrictEqual(ours[name], theirs[name]))
    .map((name) => ({ facet: `${prefix}${name}`, ours: say(ours[name]), theirs: say(theirs[name]) }))
}

/** @param {unknown} value */
function say(value) {
  return value === undefined ? 'has none' : JSON.stringify(value)
}

/**
 * Nothing said and said to be nothing are one.
 * @param {Record<string, unknown>} config
 */
function settled(config) {
  const isEmpty = (/** @type {unknown} */ value) =>
    emptyValues.some((one) => one === value) || (typeof value === 'object' && Object.keys(value ?? {}).length === 0)
  return Object.fromEntries(Object.entries(config).filter(([, value]) => !isEmpty(value)))
}
