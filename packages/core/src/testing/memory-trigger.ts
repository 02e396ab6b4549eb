import type { SecretReference } from '../contracts/v1/context.js'
import type { Delivery, SourceChange, Trigger } from '../contracts/v1/trigger.js'

export interface MemoryTrigger extends Required<Trigger> {
  /** Something changed: the next `poll` tells it. */
  change(change: SourceChange): void
  /** A delivery that `receive` takes: the changes as JSON, posted to `/memory`. */
  delivery(changes: readonly SourceChange[], password?: string): Delivery
}

const passwordHeader = 'x-memory-password'

/** A trigger in memory. With `password`, a delivery has to bring its value. */
export function memoryTrigger({ password }: { readonly password?: SecretReference } = {}): MemoryTrigger {
  const changes: SourceChange[] = []
  return {
    contract: 'trigger/v1',
    kind: 'memory',
    probe: async () => ({ ok: true, summary: 'in memory', details: {} }),
    change: (change) => void changes.push(change),
    delivery: (told, given) => ({
      method: 'POST',
      path: '/memory',
      headers: given === undefined ? {} : { [passwordHeader]: given },
      body: new TextEncoder().encode(JSON.stringify(told)),
    }),
    async receive({ path, headers, body }, context) {
      if (path !== '/memory') return undefined
      const given = headers[passwordHeader]
      if (password && !(await context.secret(password, async (value) => value === given)))
        return { refused: true, status: 401, reason: 'the password is wrong' }
      return readChanges(body) ?? { refused: true, status: 400, reason: 'the body is not a list of changes' }
    },
    async poll(cursor) {
      const from = typeof cursor === 'number' ? cursor : changes.length
      return { cursor: changes.length, changes: changes.slice(from) }
    },
  }
}

function readChanges(body: Uint8Array): readonly SourceChange[] | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body))
    return Array.isArray(value) && value.every(isChange) ? value : undefined
  } catch {
    return undefined
  }
}

function isChange(value: unknown): value is SourceChange {
  if (typeof value !== 'object' || value === null) return false
  const { repository, ref, kind } = value as Partial<Record<string, unknown>> // what is asked of it is checked next
  return typeof repository === 'string' && typeof ref === 'string' && (kind === 'branch' || kind === 'tag')
}
