import type { BuildNeed, Fit } from '@kiwi/core'
import type { Instruction, PlannedStage } from '@kiwi/wizard/dockerfile'
import type { FoundIsolation } from '../isolation/index.js'
import { readDockerfile } from './read-dockerfile.js'

type Missing = Fit['missing'][number]

/** What this builder lacks for the stages that the target needs. */
export function missingFor(need: BuildNeed, isolation: FoundIsolation): Missing[] {
  const { plan } = readDockerfile(need)
  const instructions = plan.stages.flatMap(({ stage }) => stage.instructions)
  return [
    ...missingPlatform(need),
    ...plan.stages.flatMap((stage) => missingInStage(stage, need)),
    ...instructions.flatMap(missingInInstruction),
    ...missingIsolation(instructions, isolation),
  ]
}

const architectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  s390x: 's390x',
  ppc64: 'ppc64le',
}

function missingPlatform({ platform }: BuildNeed): Missing[] {
  const own = architectures[process.arch] ?? process.arch
  if (platform.os === 'linux' && platform.architecture === own) return []
  const wanted = `${platform.os}/${platform.architecture}`
  return [{ what: `building for ${wanted}`, cure: `Build on a ${wanted} machine; this one is linux/${own}.` }]
}

function missingInStage({ stage, base, platform }: PlannedStage, need: BuildNeed): Missing[] {
  if (base.kind === 'image' && Object.hasOwn(need.contexts ?? {}, base.reference)) {
    const cure = 'Copy from the context, or register a BuildKit builder: here only images and stages can be built on.'
    return [{ what: `FROM the context ${base.reference}`, line: stage.line, cure }]
  }
  const own = [need.platform.os, need.platform.architecture].join('/')
  if (platform === undefined || platform === own || platform.startsWith(`${own}/`)) return []
  const cure = 'Leave --platform out, or register a BuildKit builder.'
  return [{ what: `FROM --platform=${platform}`, line: stage.line, cure }]
}

export function missingInInstruction(instruction: Instruction): Missing[] {
  const { line } = instruction
  const lacks = (what: string, cure: string) => [{ what, line, cure }]
  switch (instruction.keyword) {
    case 'RUN':
      return [
        ...instruction.mounts.flatMap(({ type, env, from }) => {
          if (type === 'ssh')
            return lacks('RUN --mount=type=ssh', 'Register a BuildKit builder, or give a token as a secret.')
          if (type === 'secret' && env !== undefined)
            return lacks('RUN --mount=type=secret,env', 'Mount the secret as a file, and read it in the command.')
          return type === 'cache' && from !== undefined
            ? lacks('RUN --mount=type=cache,from', 'Fill the cache in the command, or register a BuildKit builder.')
            : []
        }),
        ...(instruction.network === undefined || ['default', 'host', 'none'].includes(instruction.network)
          ? []
          : lacks(`RUN --network=${instruction.network}`, 'There is default, host and none.')),
        ...(instruction.security === 'insecure' ? lacks('RUN --security=insecure', 'Leave --security out.') : []),
        ...(instruction.devices.length > 0 ? lacks('RUN --device', 'Leave --device out.') : []),
      ]
    case 'ADD':
      return [
        ...(instruction.sources.some((source) => /^(?:https?|git|ssh):\/\/|^git@/.test(source))
          ? lacks('ADD of a URL', 'Fetch it in a RUN, or keep the file in the repository.')
          : []),
        ...(instruction.checksum === undefined
          ? []
          : lacks('ADD --checksum', 'Fetch the file in a RUN, and check it there with sha256sum -c.')),
      ]
    case 'COPY':
      return [...(instruction.parents ? lacks('COPY --parents', 'Write one COPY for each directory.') : [])]
    case 'ONBUILD':
      return missingInInstruction(instruction.trigger)
    default:
      return []
  }
}

function missingIsolation(instructions: readonly Instruction[], { kind, because, cure }: FoundIsolation): Missing[] {
  const run = instructions.find(({ keyword }) => keyword === 'RUN')
  if (kind === 'none') return instructions.flatMap(missingWithoutNamespaces)
  if (run === undefined || kind !== 'missing') return []
  return [{ what: `a way to isolate RUN (${because})`, line: run.line, cure: cure ?? 'Build on another machine.' }]
}

/** A plain process sees this machine's files and network, whatever the flags say. */
function missingWithoutNamespaces(instruction: Instruction): Missing[] {
  if (instruction.keyword !== 'RUN') return []
  const { line, mounts, network } = instruction
  const cure = 'Build on Linux as root, where steps run in namespaces.'
  const flags = [...mounts.map(({ type }) => `--mount=type=${type}`), ...(network === 'none' ? ['--network=none'] : [])]
  return flags.map((flag) => ({ what: `RUN ${flag} without namespaces`, line, cure }))
}
