import type { Json } from '../contracts/v1/json.js'
import { KiwiError } from '../errors/kiwi-error.js'
import type { Redactor } from '../secrets/redactor.js'

/** What adapters answer outside of a run is shown without the secrets that they may quote, and so is why they do not. */
export function shownBy({ json }: Redactor): <T>(work: Promise<T>) => Promise<T> {
  const clean = <T>(value: T): T => json(value as Json) as T // plain JSON; redaction keeps the shape
  return async (work) => {
    try {
      return clean(await work)
    } catch (thrown) {
      const record = KiwiError.from(thrown).toRecord()
      const shown = clean(record)
      throw JSON.stringify(shown) === JSON.stringify(record) ? thrown : KiwiError.fromRecord(shown)
    }
  }
}
