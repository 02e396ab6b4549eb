/** What this process saw in each repository: asked for once, not for every release. */
export type Seen = (repository: string) => SeenRepository

export interface SeenRepository {
  readonly blobs: Set<string>
  /** Sent just now; whoever wants to send the same waits. */
  readonly sending: Map<string, Promise<unknown>>
}

export function seenBlobs(): Seen {
  const repositories = new Map<string, SeenRepository>()
  return (repository) => {
    const seen = repositories.get(repository) ?? { blobs: new Set(), sending: new Map() }
    repositories.set(repository, seen)
    return seen
  }
}
