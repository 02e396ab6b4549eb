import type { ImageAtUse, InstanceSpec, ResourceAmounts, SecretReference } from '@kiwi/core'
import type { V1Container, V1EnvVar, V1PodSpec, V1Volume } from '@kubernetes/client-node'
import { containerName } from './names.js'

export interface PodOrder {
  readonly image: ImageAtUse
  readonly spec: InstanceSpec
  /** Name of the Secret that holds the values of the spec's secret references. */
  readonly secretName: string | undefined
  /** What the container has besides what the spec says. */
  readonly container: Partial<V1Container>
}

/** A pod as the spec says it, but for what only an instance that serves needs. */
export function podSpec({ image, spec, secretName, container }: PodOrder): V1PodSpec {
  const { entrypoint, command } = spec
  const volumes = spec.volumes.map((volume, index) => ({ ...volume, name: `volume-${index}` }))
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    containers: [
      {
        name: containerName,
        image: image.pull,
        imagePullPolicy: 'IfNotPresent',
        ...(entrypoint && { command: entrypoint.map(literal) }),
        ...(command && { args: command.map(literal) }),
        env: envOf(spec, secretName),
        resources: { requests: quantitiesOf(spec.resources.requests), limits: quantitiesOf(spec.resources.limits) },
        volumeMounts: volumes.map(({ name, path, readOnly }) => ({ name, mountPath: path, readOnly })),
        ...container,
      },
    ],
    volumes: volumes.map(({ name, source }) => volumeOf(name, source)),
  }
}

function envOf({ port, env }: InstanceSpec, secretName: string | undefined): V1EnvVar[] {
  return Object.entries({ PORT: String(port), ...env }).map(([name, value]) =>
    typeof value === 'string'
      ? { name, value: literal(value) }
      : { name, valueFrom: { secretKeyRef: { name: secretName ?? '', key: name } } },
  )
}

/** The environment's secret references, by the variable that gets the value. */
export function secretsOf({ env }: InstanceSpec): [variable: string, reference: SecretReference][] {
  return Object.entries(env).flatMap(([name, value]) => (typeof value === 'string' ? [] : [[name, value]]))
}

/** Kubernetes expands `$(NAME)` in values and arguments; a doubled `$` stands for itself. */
function literal(text: string): string {
  return text.replaceAll('$', '$$$$')
}

function quantitiesOf({ cpuMillis, memoryBytes }: ResourceAmounts): Record<string, string> {
  return {
    ...(cpuMillis !== undefined && { cpu: `${cpuMillis}m` }),
    ...(memoryBytes !== undefined && { memory: String(memoryBytes) }),
  }
}

function volumeOf(name: string, source: string): V1Volume {
  if (source.startsWith('/')) return { name, hostPath: { path: source } }
  return { name, persistentVolumeClaim: { claimName: source } }
}
