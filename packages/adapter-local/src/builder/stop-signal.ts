import { constants } from 'node:os'
import { DockerfileSyntaxError } from '@kiwi/wizard/dockerfile'

/** A signal's name, with or without SIG, or its number, as it was written. Throws for any other word. */
export function stopSignalOf(word: string, line: number): string {
  const name = word.toUpperCase().replace(/^SIG/, '')
  const real = /^RTM(?:IN(?:\+(?:\d|1[0-5]))?|AX(?:-(?:\d|1[0-4]))?)$/
  if (/^[1-9]\d?$/.test(word) || real.test(name) || Object.hasOwn(constants.signals, `SIG${name}`)) return word
  throw new DockerfileSyntaxError(`STOPSIGNAL ${word}: no such signal`, {
    line,
    column: 1,
    hint: 'Write a name such as SIGTERM or SIGINT, or a number.',
  })
}
