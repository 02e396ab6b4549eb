import type { BuildAdvice, BuildReport, ReportedStep } from '../contracts/v1/build-report.js'

/** What advice needs to know of a build. */
export type AdvisedBuild = Omit<BuildReport, 'advice'> & {
  /** Unpacked bytes of the image's own layers by directory that should not be there: `.git`, a package manager's cache, … */
  readonly bulk: Readonly<Record<string, number>>
  /** As FROM names it; undefined for scratch. */
  readonly base?: string | undefined
}

const mebibyte = 1024 * 1024
const longBuildMs = 5 * 60_000

/**
 * The optimisation advice of the guide (dependency install before code, multi-stage, `.dockerignore`, small base), each only when the
 * figures of this build support it; a build of more than five minutes is always told its slowest step.
 */
export function adviseBuild(build: AdvisedBuild): BuildAdvice[] {
  const advice = [dependenciesFirst(build), ...bulk(build), wasted(build), smallBase(build), slowest(build)]
  return advice.flatMap((one) => one ?? [])
}

const installs =
  /\b(?:npm (?:ci|i|install)|yarn(?: install)?|pnpm (?:i|install)|bun install|pip3? install|uv (?:sync|pip)|poetry install|pipenv (?:install|sync)|bundle install|composer install|go mod download|mvn \S*dependency|dotnet restore|cargo fetch)\b/
const manifests =
  /(?:^|\/)(?:package(?:-lock)?\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|requirements[^/]*\.txt|pyproject\.toml|uv\.lock|poetry\.lock|Pipfile(?:\.lock)?|Gemfile(?:\.lock)?|composer\.(?:json|lock)|go\.(?:mod|sum)|pom\.xml|Cargo\.(?:toml|lock)|\S+\.csproj)\b/

/** An install ran again although a file that it does not read had changed: the copy before it took too much. */
function dependenciesFirst({ steps }: AdvisedBuild): BuildAdvice | undefined {
  for (const [index, step] of steps.entries()) {
    if (!installs.test(step.instruction) || step.missedBecause !== 'an earlier step changed') continue
    const copy = steps.slice(0, index).findLast(isChangedCopy)
    if (copy === undefined || manifests.test(copy.missedBecause ?? '')) continue
    return {
      code: 'dependencies-first',
      what: 'Copy the manifest and the lockfile, install, and copy the rest of the code after that.',
      because: `“${short(step.instruction)}” took ${seconds(step.durationMs)} again because ${copy.missedBecause}`,
      gainMs: step.durationMs,
    }
  }
  return undefined
}

function isChangedCopy({ instruction, missedBecause = '' }: ReportedStep): boolean {
  return (
    /^(?:COPY|ADD)\b/i.test(instruction) &&
    / changed$/.test(missedBecause) &&
    missedBecause !== 'an earlier step changed'
  )
}

const leastBulkBytes = 10 * mebibyte

function bulk({ bulk: directories }: AdvisedBuild): BuildAdvice[] {
  const rows = Object.entries(directories).filter(([, bytes]) => bytes >= leastBulkBytes)
  return rows.map(([directory, gainBytes]) => {
    const isOfSource = directory === '.git' || directory === 'node_modules'
    return {
      code: isOfSource ? 'ignore-files' : 'multi-stage',
      what: isOfSource
        ? `Leave ${directory} out with .dockerignore.`
        : `Keep ${directory} out of the image: build in a stage of its own, or use RUN --mount=type=cache for it.`,
      because: `${directory} brings ${megabytes(gainBytes)} of files`,
      gainBytes,
    }
  })
}

function wasted({ wasted: { bytes, largest } }: AdvisedBuild): BuildAdvice | undefined {
  const [first] = largest
  if (first === undefined || bytes < leastBulkBytes) return undefined
  return {
    code: 'remove-in-the-same-step',
    what: 'Remove files in the RUN that makes them: a later step only hides them.',
    because: `${megabytes(bytes)} are in the image and hidden, ${megabytes(first.bytes)} of it /${first.path}`,
    gainBytes: bytes,
  }
}

const leastBaseBytes = 150 * mebibyte

function smallBase({ base, layers, sizeBytes }: AdvisedBuild): BuildAdvice | undefined {
  const own = layers.filter(({ isOfBase }) => isOfBase).reduce((sum, layer) => sum + layer.sizeBytes, 0)
  if (
    base === undefined ||
    own < leastBaseBytes ||
    own < sizeBytes / 2 ||
    /slim|alpine|distroless|micro|minimal/.test(base)
  ) {
    return undefined
  }
  return {
    code: 'small-base',
    what: `Take a smaller base than ${base}: its slim or alpine form, where the application runs on it.`,
    because: `${megabytes(own)} of ${megabytes(sizeBytes)} are the base`,
  }
}

function slowest({ steps }: AdvisedBuild): BuildAdvice | undefined {
  const totalMs = steps.reduce((sum, { durationMs }) => sum + durationMs, 0)
  const [step] = [...steps].sort((one, other) => other.durationMs - one.durationMs)
  if (step === undefined || totalMs < longBuildMs) return undefined
  return {
    code: 'slowest-step',
    what: `Begin with “${short(step.instruction)}”: give it a cache mount, or let it do less.`,
    because: `it took ${seconds(step.durationMs)} of ${seconds(totalMs)}`,
  }
}

function short(instruction: string): string {
  const [line = ''] = instruction.split('\n')
  return line.length > 80 ? `${line.slice(0, 79)}…` : line
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}
