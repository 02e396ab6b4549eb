import type { Files } from '../../files.js'
import { searchFiles, sourcesAmong } from '../../search.js'
import type { Found } from '../../stack.js'
import type { StartFacts } from './start.js'

const fromEnvironment = [
  /process\.env(?:\.PORT|\[['"]PORT['"]\])[^\n]{0,24}?(?:\|\||\?\?)\s*['"]?(\d{2,5})\b/,
  /\bPORT\s*=\s*['"]?(\d{2,5})['"]?[^\n]*\}\s*=\s*process\.env\b/,
]
const written = [/\.listen\(\s*\{?\s*(?:port\s*:\s*)?(\d{2,5})\b/, /\b(?:port|PORT)\s*[=:]\s*['"]?(\d{2,5})\b/]

/** The port it listens on: as told on the command line, then as the sources say. */
export async function readPort(files: Files, start: StartFacts): Promise<Found<number> | undefined> {
  const told = /(?:^| )(?:-p|--port)[= ](\d{2,5})(?: |$)/.exec(start.argv.join(' '))?.[1] ?? start.environment.PORT
  if (told !== undefined && /^\d{2,5}$/.test(told)) return { value: Number(told), evidence: start.evidence }
  const entry = start.entry === undefined ? [] : [start.entry]
  const sources = sourcesAmong(await files.list(), /\.[cm]?[jt]sx?$/, entry)
  const found =
    (await searchFiles(files, sources, fromEnvironment, 'node/port-from-environment')) ??
    (await searchFiles(files, sources, written, 'node/port-in-source'))
  return found === undefined ? undefined : { value: Number(found.value), evidence: found.evidence }
}
