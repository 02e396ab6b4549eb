export type Row = Record<string, unknown>

/** A column that holds JSON: the store wrote it, so it has the type it was written with. */
export function parsed<T>(column: unknown): T {
  return JSON.parse(String(column))
}
