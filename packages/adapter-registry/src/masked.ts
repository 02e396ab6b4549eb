import type { HttpRequest } from './connect.js'

/** Shorter ones cannot be told from other words. */
const shortestSecret = 4

/**
 * Takes out of a refusal what the request was signed with: a server may say back what it was sent, and what comes out of files, helpers
 * and providers is known to no redactor. The work is done for the first text.
 */
export function maskOf({ headers, body }: Pick<HttpRequest, 'headers' | 'body'>): (text: string) => string {
  let forms: readonly string[] | undefined
  return (text) => {
    forms ??= [...secretsIn(headers.authorization), ...tokensIn(body)]
      .filter((secret) => secret.length >= shortestSecret)
      .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])
    return forms.reduce((masked, form) => masked.replaceAll(form, '***'), text)
  }
}

/** What is sent, and for Basic the password in it. */
function secretsIn(authorization: string | undefined): readonly string[] {
  const [, scheme = '', value = ''] = /^(\w+) (.+)$/s.exec(authorization ?? '') ?? []
  if (scheme !== 'Basic') return [value]
  const pair = Buffer.from(value, 'base64').toString()
  return [value, pair.slice(pair.indexOf(':') + 1)]
}

function tokensIn(body: HttpRequest['body']): readonly string[] {
  if (typeof body !== 'string') return []
  if (!body.startsWith('{')) return new URLSearchParams(body).getAll('refresh_token')
  const { secret } = JSON.parse(body)
  return typeof secret === 'string' ? [secret] : []
}
