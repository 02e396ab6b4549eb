import * as z from 'zod/mini'
import type { Json } from '../contracts/v1/json.js'
import { serviceDefinitionSchema } from './schema-service.js'

/** A JSON Schema, or a part of one. */
export type JsonSchema = { readonly [key: string]: Json }

/**
 * The service definition as JSON Schema (draft 2020-12), for editors and forms. What depends on several places, and what only code can tell
 * (time zones, image names, tag rules), is checked when the service is registered.
 */
export function serviceDefinitionJsonSchema(): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(serviceDefinitionSchema(), { io: 'input' })
  const described = describe(JSON.parse(JSON.stringify(schema)), '')
  return {
    $schema: $schema ?? '',
    $id: 'urn:kiwi:service-definition:v1',
    title: 'Kiwi service definition',
    ...described,
  }
}

/** What each part is for; `*` is any name or number. What may stand there, the schema adds. */
const purposes: Readonly<Record<string, string>> = {
  '': 'What is built and deployed; registered once.',
  source: 'A Git repository, or a directory of this machine.',
  'source.git': 'The repository’s address.',
  'source.directory': 'Files of this machine as they are now, committed or not.',
  'source.token': 'Sent as the Authorization of that host only.',
  'source.submodules': 'Fetches submodules too. Default false.',
  'source.lfs': 'Fetches large files instead of leaving their pointers. Default false.',
  'build.dockerfile':
    'auto finds the Dockerfile nearest to the context, and asks the wizard where there is none. Default auto.',
  'build.context': 'Directory that COPY sees, relative to the repository. Default the repository itself.',
  'build.args': 'Values for ARG; readable in the image, no place for secrets.',
  'build.target': 'Stage to stop at. Default: the last one.',
  'build.cache': 'Which steps of earlier builds are used again. Default layer.',
  'build.platform': 'Default: this machine’s architecture.',
  'build.baseImage': 'Base image for a Dockerfile that the wizard writes.',
  'image.registry': 'Name of a registered registry.',
  'image.repository': 'Project or namespace, and name.',
  'image.tag': 'Tag rule. Default ${BRANCH}-${SHORT_SHA}, or what the run has of them.',
  triggers: 'What starts a run by itself. Default: nothing.',
  'triggers.*.environment': 'Where the build is deployed. Default: it is not.',
  'triggers.*.paths': 'Only pushes that change such a file.',
  'triggers.*.timeZone': 'Default UTC.',
  environments: 'The named targets of the service.',
  'environments.*.runtime': 'Name of a registered runtime.',
  'environments.*.replicas': 'Number of instances. Default 1 in development, else 2.',
  'environments.*.resources.requests': 'What one instance may count on.',
  'environments.*.resources.limits': 'What one instance may use at most.',
  'environments.*.env': 'Variables of the application.',
  'environments.*.port': 'The port the application listens on; told to it as PORT too. Default 3000.',
  'environments.*.publish': 'Where the service is reached. Default: HTTP on a free port of 127.0.0.1.',
  'environments.*.health': 'How an instance is asked whether it is ready. Default: GET / every 2 s.',
  'environments.*.volumes': 'Directories that outlive an instance.',
  'environments.*.entrypoint': 'Instead of the image’s own.',
  'environments.*.command': 'Instead of the image’s own.',
  'environments.*.stopGraceMs': 'Time between the stop signal and the kill. Default 10 s.',
  'environments.*.strategy': 'Default rolling, on a runtime that can; else blue-green.',
  'environments.*.readyWithinMs': 'How long new instances may take to become ready. Default 120 s.',
  'environments.*.tolerance.restarts': 'So many ends by themselves are no accident any more. Default 3.',
  'environments.*.tolerance.silenceMs':
    'Nothing that is seen changes for so long: told, not yet a failure. Default 60 s.',
  'environments.*.verify': 'Asked once through the route after the switch. Default: the health check’s path.',
  'environments.*.beforeSwitch': 'A command run once from the new image before it gets traffic: a migration.',
  'environments.*.beforeSwitch.withinMs': 'Default 600 s.',
  'environments.*.beforeSwitch.schemaChange': 'A rollback must not cross the release unasked. Default false.',
  'environments.*.approval': 'A run waits before it deploys until someone approves it. Default false.',
  'environments.*.keepReleases': 'How many good releases are kept to be rolled back to. Default 10.',
}

function describe(schema: JsonSchema, path: string): JsonSchema {
  const { description, ...rest } = schema
  const sentences = [purposes[path], description].filter((text) => text !== undefined)
  return { ...(sentences.length > 0 && { description: sentences.join(' Allowed: ') }), ...describeParts(rest, path) }
}

function describeParts(schema: JsonSchema, path: string): JsonSchema {
  return mapped(schema, (keyword, value) => part(keyword, value, path))
}

/** Knows the keywords that zod writes for a definition. */
function part(keyword: string, value: Json, path: string): Json {
  const below = (key: string) => (path === '' ? key : `${path}.${key}`)
  if (keyword === 'properties' && isSchema(value))
    return mapped(value, (key, one) => (isSchema(one) ? describe(one, below(key)) : one))
  if ((keyword === 'items' || keyword === 'additionalProperties') && isSchema(value)) return describe(value, below('*'))
  if ((keyword !== 'anyOf' && keyword !== 'oneOf') || !Array.isArray(value)) return value
  return value.map((one: Json) => (isSchema(one) ? describeParts(one, path) : one))
}

function mapped(schema: JsonSchema, change: (key: string, value: Json) => Json): JsonSchema {
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, change(key, value)]))
}

function isSchema(value: Json): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
