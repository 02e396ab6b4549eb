import { type Answer, json, refuse } from './answer.js'
import type { Asked } from './route.js'

/** GET of a repository's tags, in pages of `n` after `last`. */
export async function answerTags({ storage, repository, query }: Asked): Promise<Answer> {
  const all = await storage.repositories.tags(repository)
  if (all === undefined) return refuse(404, 'NAME_UNKNOWN', 'nothing was ever pushed there')
  const last = query.get('last')
  const rest = last === null ? all : all.filter((tag) => tag > last)
  const count = /^\d{1,15}$/.test(query.get('n') ?? '') ? Number(query.get('n')) : rest.length
  const tags = rest.slice(0, count)
  const next = tags.length < rest.length ? tags.at(-1) : undefined
  const link = next === undefined ? {} : { link: nextPage(repository, count, next) }
  return json(200, { name: repository, tags }, link)
}

function nextPage(repository: string, count: number, last: string): string {
  return `</v2/${repository}/tags/list?n=${count}&last=${encodeURIComponent(last)}>; rel="next"`
}
