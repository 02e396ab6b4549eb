// Output in pieces: every writing of a secret, cut at every byte, on its way to log events.
import { between, casesOf } from './cases.mjs'
import { fromSource } from './source.mjs'

const { stageContext } = await fromSource('journal/context')
const { createRedactor } = await fromSource('secrets/redactor')
const { leaks } = await fromSource('secrets/leaks/writings')

/** Hides nothing: with it, every case must be found to leak. */
const blind = {
  text: (text) => text,
  json: (value) => value,
  lines: () => {
    const decoder = new TextDecoder()
    return { push: (chunk) => decoder.decode(chunk, { stream: true }), end: () => decoder.decode() }
  },
}

/**
 * @param {readonly import('./cases.mjs').Secret[]} secrets all of them are known to the redactor
 * @param {{ of?: string | undefined, part?: { index: number, of: number }, blindly?: boolean }} [options] `of`: only this secret's writings;
 *   `part`: only each so-manieth writing; `blindly`: with a redactor that is switched off
 * @returns {Promise<import('./cases.mjs').Tally>}
 */
export async function cutEverywhere(secrets, { of, part = { index: 0, of: 1 }, blindly = false } = {}) {
  const redactor = blindly ? blind : createRedactor()
  if (!blindly) for (const { name, value } of secrets) redactor.add(value, name)
  const tally = { cases: 0, leaks: 0, lost: 0, examples: /** @type {string[]} */ ([]) }
  const cases = casesOf(secrets.filter(({ name }) => of === undefined || name === of))
  for (const [index, { secret, writing }] of cases.entries()) {
    if (index % part.of !== part.index) continue
    const bytes = Buffer.byteLength(writing.text)
    const said = await linesOf(writing.text, bytes, redactor)
    for (let cut = 0; cut <= bytes + 1; cut++) {
      const body = said.get(String(cut))
      tally.cases += 1
      if (body !== undefined && !leaks(writing, body)) continue
      tally[body === undefined ? 'lost' : 'leaks'] += 1
      if (tally.examples.length < 5)
        tally.examples.push(`${secret.name} as ${writing.encoding}, cut at byte ${cut} of ${bytes}`)
    }
  }
  return tally
}

/** What the log events say, by the byte at which the writing was cut; one more says it byte after byte. */
async function linesOf(text, bytes, redactor) {
  const events = []
  const context = stageContext('build', {
    lease: { runId: 'run', scope: 'scope', token: 1, workerId: 'worker' },
    signal: new AbortController().signal,
    events: { emit: (event) => events.push(event), drained: async () => undefined },
    redactor,
    secret: async () => undefined,
  })
  const output = (piece) => context.output(piece, { stream: 'out' })
  for (let cut = 0; cut <= bytes; cut++) {
    const whole = Buffer.from(`${between(String(cut), text)}\n`)
    const at = Buffer.byteLength(`⟦${cut}⟧`) + cut
    await output(whole.subarray(0, at))
    await output(whole.subarray(at))
  }
  const last = Buffer.from(`${between(String(bytes + 1), text)}\n`)
  const step = Math.ceil(last.length / 2_000) // bytes at a time, for a text that is very long
  for (let at = 0; at < last.length; at += step) await output(last.subarray(at, at + step))
  context.endOutput()
  const said = events.map((event) => event.text).join('\n')
  return new Map([...said.matchAll(/⟦(\d+)⟧(.*?)⟦\/\1⟧/gs)].map(([, id, body]) => [id, body]))
}
