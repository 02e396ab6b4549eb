import type { HistoryEntry, ImageConfig, Layer, RunConfig } from '../layers/index.js'

/** A stage while it is being built: changed instruction by instruction. */
export interface Draft {
  layers: Layer[]
  /** How many of them are an image's that was built on. */
  baseLayers: number
  config: RunConfig
  history: HistoryEntry[]
  /** What MAINTAINER said last. */
  author?: string | undefined
  /** Declared so far, with their values. */
  args: Map<string, string>
  /** Whether this stage, not its base, said CMD: ENTRYPOINT forgets only an inherited one. */
  commandIsOwn: boolean
  /** Whether a RUN of this stage is still to come, or at hand: it needs all files on disk. */
  willRun: boolean
}

export function emptyDraft(): Draft {
  return { layers: [], baseLayers: 0, config: {}, history: [], args: new Map(), commandIsOwn: false, willRun: false }
}

/** Where programs are looked for in an image that does not say; every builder writes it into such an image. */
export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Goes on from a base image, or from nothing: its triggers have been taken by then. */
export function draftFrom(
  { config = {}, history = [], author }: Partial<ImageConfig>,
  layers: readonly Layer[],
): Draft {
  const { OnBuild: _, ...rest } = config
  const Env = envOf(config).has('PATH') ? config.Env : [...(config.Env ?? []), `PATH=${defaultPath}`]
  return {
    ...emptyDraft(),
    layers: [...layers],
    baseLayers: layers.length,
    config: { ...rest, Env },
    history: [...history],
    author,
  }
}

/** Goes on from an earlier stage. Its ARGs hold on, as builders have it. */
export function draftAfter(stage: Draft): Draft {
  const { OnBuild: _, ...config } = stage.config
  const { author, baseLayers } = stage
  return {
    ...emptyDraft(),
    config,
    author,
    baseLayers,
    layers: [...stage.layers],
    history: [...stage.history],
    args: new Map(stage.args),
  }
}

/** The image's environment as a table; of two of the same name the later holds. */
export function envOf(config: RunConfig): Map<string, string> {
  const pairs = (config.Env ?? []).map((pair): [string, string] => {
    const equals = pair.indexOf('=')
    return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)]
  })
  return new Map(pairs)
}

/** Variables that instructions see: ENV before ARG. */
export function variablesOf({ config, args }: Draft): (name: string) => string | undefined {
  const env = envOf(config)
  return (name) => env.get(name) ?? args.get(name)
}

export function workingDirectory({ WorkingDir }: RunConfig): string {
  return WorkingDir || '/'
}

const defaultShell = ['/bin/sh', '-c']

export function shellOf({ Shell }: RunConfig): readonly string[] {
  return Shell ?? defaultShell
}
