import { seeded } from '../harness.mjs'
import { fromSource } from './source.mjs'

const { shapesFrom, longKey } = await fromSource('secrets/leaks/shapes')
const { lineWritings, shellWritings, writingsOf, leaks } = await fromSource('secrets/leaks/writings')

/**
 * @typedef {{ name: string, value: string, word: boolean }} Secret `word`: equal to a word that stands in any log
 * @typedef {{ encoding: string, text: string, left: number }} Writing
 * @typedef {{ id: string, secret: Secret, writing: Writing }} Case a secret, written some way, between marks that carry `id`
 * @typedef {{ cases: number, leaks: number, lost: number, examples: string[] }} Tally
 */

/**
 * The secrets of one batch: one of every shape.
 * @param {number} seed
 * @param {number} batch
 * @returns {Secret[]}
 */
export function secretsOf(seed, batch) {
  return shapesFrom(seeded(seed, `batch ${batch}`).next).map((shape) => secretOf(shape))
}

/**
 * @param {number} seed
 * @returns {Secret}
 */
export function longSecret(seed) {
  return secretOf(longKey(seeded(seed, 'long key').next))
}

/** @param {{ name: string, value: string }} shape */
function secretOf({ name, value }) {
  return { name: name.toUpperCase().replaceAll(' ', '_'), value, word: name === 'a common word' }
}

/**
 * Every writing of every secret; of a secret of many lines, those of the first three lines.
 * @param {readonly Secret[]} secrets
 * @returns {Case[]}
 */
export function casesOf(secrets) {
  const shells = shellWritings(secrets.map(({ value }) => value))
  const written = secrets.flatMap((secret, index) =>
    [...writingsOf(secret.value), ...lineWritings(secret.value), ...(shells[index] ?? [])]
      .filter(({ encoding }) => !/^line [4-9]|^line \d\d/.test(encoding))
      .map((writing) => ({ secret, writing })),
  )
  return written.map((one, index) => ({ ...one, id: String(index) }))
}

/** @param {Case} one */
export function marked({ id, writing }) {
  return between(id, writing.text)
}

/**
 * @param {string} id
 * @param {string} text
 */
export function between(id, text) {
  return `⟦${id}⟧${text}⟦/${id}⟧`
}

/**
 * The same cases under other names: one place, one prefix.
 * @param {string} prefix
 * @param {readonly Case[]} cases
 */
export function prefixed(prefix, cases) {
  return cases.map((one) => ({ ...one, id: `${prefix} ${one.id}` }))
}

/**
 * Judges what came out of a sink. A case that is not there at all is lost: then nothing was proven about it.
 * @param {readonly Case[]} cases those that were put in
 * @param {readonly string[]} texts all text of the sink
 * @returns {Tally}
 */
export function judge(cases, texts) {
  const found = new Map()
  for (const text of texts)
    for (const [, id, body] of text.matchAll(/⟦([^⟧]+)⟧(.*?)⟦\/\1⟧/gs)) found.set(id, [...(found.get(id) ?? []), body])
  const tally = { cases: cases.length, leaks: 0, lost: 0, examples: /** @type {string[]} */ ([]) }
  for (const { id, secret, writing } of cases) {
    const bodies = found.get(id)
    if (bodies === undefined) tally.lost += 1
    else if (!bodies.some((body) => leaks(writing, body))) continue
    else tally.leaks += 1
    if (tally.examples.length < 5)
      tally.examples.push(`${secret.name} as ${writing.encoding}${bodies ? '' : ' (lost)'}`)
  }
  return tally
}

/**
 * All strings of a JSON value, its keys too, in their order.
 * @param {unknown} value
 * @returns {string[]}
 */
export function stringsOf(value) {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) return value.flatMap(stringsOf)
  return Object.entries(value).flatMap(([key, item]) => [key, ...stringsOf(item)])
}
