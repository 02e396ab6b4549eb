import type { HttpAnswer } from './connect.js'

/**
 * The path and query that a `Link` header names as the next page (RFC 8288). Only those of it: a registry behind a proxy may not know its own
 * host, and none may send us to another.
 */
export function nextPage({ headers, url }: Pick<HttpAnswer, 'headers' | 'url'>): string | undefined {
  for (const [, target, parameters = ''] of headers('link')
    .join(',')
    .matchAll(/<([^<>]*)>([^<>]*)/g)) {
    if (target === undefined || !/;\s*rel="?(?:[^"<>;]*\s)?next[\s";,]*/i.test(`${parameters};`)) continue
    const next = URL.parse(target, url.href)
    if (next) return `${next.pathname}${next.search}`
  }
  return undefined
}
