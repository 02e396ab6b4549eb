/** What a registry says of its refusal. */
export interface Words {
  /** Of the OCI distribution specification, or the registry's own; `''` when there is none. */
  readonly code: string
  /** One line, of 500 characters at most, without what looks like a credential. */
  readonly message: string
}

/** Longer than any sentence that people read. */
const limitCharacters = 500
/** What is looked at of longer texts. */
const longestMessage = 4 * limitCharacters

/** The body may be the specification's JSON, other JSON, a proxy's HTML or nothing. Never throws. */
export function parseBody(text: string): Words {
  const value = parseJson(text)
  if (value === undefined) return { code: '', message: /^\s*</.test(text) ? titleOf(text) : oneLine(text) }
  const first = Array.isArray(value.errors) ? asObject(value.errors[0]) : undefined
  const code = typeof first?.code === 'string' || typeof first?.code === 'number' ? String(first.code) : ''
  const said = [first?.message, value.message, value.details, value.detail, value.error_description, value.error]
  return { code: code.slice(0, 100), message: oneLine(said.find((one) => typeof one === 'string' && one !== '')) }
}

type JsonObject = { readonly [key: string]: unknown }

function parseJson(text: string): JsonObject | undefined {
  try {
    return asObject(JSON.parse(text))
  } catch {
    return undefined
  }
}

function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null ? { ...value } : undefined
}

/** Proxies say what is wrong in the title of their page. */
function titleOf(html: string): string {
  return oneLine(/<title>([^<]{1,200})<\/title>/i.exec(html)?.[1])
}

function oneLine(text: unknown): string {
  if (typeof text !== 'string') return ''
  const line = text.slice(0, longestMessage).replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
  return withoutCredentials(line).trim().slice(0, limitCharacters)
}

/** A server may say back what it was sent, and signed addresses of a store are as good as a password. */
function withoutCredentials(text: string): string {
  return text
    .replace(/\b(bearer|basic) [\w.~+/=-]{8,}/gi, '$1 ***')
    .replace(/\beyJ[\w-]{6,}\.[\w.-]*/g, '***')
    .replace(/\b([\w-]*(?:token|signature|credential|password|secret))=[^\s&"']+/gi, '$1=***')
    .replace(/:\/\/[^\s/@:]*:[^\s/@]*@/g, '://***@')
}
