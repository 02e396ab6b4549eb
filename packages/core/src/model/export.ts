import type { JsonSchema } from './json-schema.js'

/** The service definition as JSON Schema (draft 2020-12), for editors and forms; loaded when it is asked for. */
export async function serviceDefinitionJsonSchema(): Promise<JsonSchema> {
  return (await import('./json-schema.js')).serviceDefinitionJsonSchema()
}
