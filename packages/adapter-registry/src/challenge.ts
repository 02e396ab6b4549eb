/** One way to sign in that a server offers (RFC 9110 §11.6.1). */
export interface Challenge {
  /** Lower case. */
  readonly scheme: string
  /** Names are lower case. */
  readonly parameters: Readonly<Record<string, string>>
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
/** Not the beginning of a longer token, and not the name of a parameter. */
const schemePattern = new RegExp(`[\\s,]*(${token})(?=[\\s,]|$)(?!\\s*=)`, 'y')
/** A blob in place of parameters, as Negotiate has it. */
const token68Pattern = /\s+[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))/y
const parameterPattern = new RegExp(`\\s*,?\\s*(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))`, 'y')

/** Reads every challenge of every `WWW-Authenticate` header; what is malformed ends its header's reading. */
export function parseChallenges(headers: readonly string[]): readonly Challenge[] {
  return headers.flatMap(parseHeader)
}

function parseHeader(header: string): readonly Challenge[] {
  const challenges: Challenge[] = []
  for (let at = 0; at < header.length; ) {
    schemePattern.lastIndex = at
    const scheme = schemePattern.exec(header)?.[1]
    if (scheme === undefined) break
    token68Pattern.lastIndex = schemePattern.lastIndex
    const start = token68Pattern.test(header) ? token68Pattern.lastIndex : schemePattern.lastIndex
    const { parameters, end } = parseParameters(header, start)
    challenges.push({ scheme: scheme.toLowerCase(), parameters })
    at = end
  }
  return challenges
}

function parseParameters(header: string, start: number) {
  const parameters: Record<string, string> = {}
  let end = start
  for (;;) {
    parameterPattern.lastIndex = end
    const [match, name, quoted, plain] = parameterPattern.exec(header) ?? []
    if (match === undefined || name === undefined) return { parameters, end }
    parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? plain ?? ''
    end = parameterPattern.lastIndex
  }
}
