/** What a token has to allow (distribution, token.md, "Requesting a Token"). */
export function pullScope(repository: string): string {
  return `repository:${repository}:pull`
}

export function pushScope(repository: string): string {
  return `repository:${repository}:pull,push`
}

export function deleteScope(repository: string): string {
  return `repository:${repository}:pull,push,delete`
}
