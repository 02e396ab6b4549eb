import type { ImageAtUse, InstanceSpec } from '../../../contracts/v1/actions.js'
import type { Clock } from '../../../contracts/v1/clock.js'
import type { Json } from '../../../contracts/v1/json.js'
import type { Runtime, Target } from '../../../contracts/v1/runtime.js'

export interface RuntimeKitOptions {
  /** The runtime of one case: always the same one, or a new one each time. */
  runtime(): Runtime | Promise<Runtime>
  /** Two images, brought to where this runtime takes them from, whose program listens on PORT and is healthy at `/`. Asked once per runtime. */
  images(runtime: Runtime): Promise<readonly [ImageAtUse, ImageAtUse]>
  /** What GET of the service's address answers from the first and the second image. Left out: no requests are made. */
  readonly answers?: readonly [string, string] | undefined
  /** Command lines that the images can run. Default: `shellPrograms`. */
  readonly programs?: KitPrograms | undefined
  /** Where a spec that any runtime could run does not do. */
  readonly spec?: Partial<InstanceSpec> | undefined
  readonly target?: Partial<Pick<Target, 'namespace' | 'publish'>> | undefined
  /** How long anything that is waited for may take. Default 20 s. */
  readonly withinMs?: number | undefined
  /** How long nothing may happen where nothing should. Default 500 ms. */
  readonly quietMs?: number | undefined
  /** True when a port that this process listens on is taken for the runtime too. */
  readonly sharesPorts?: boolean | undefined
  /** Starts something on the target's platform that Kiwi did not make; needed where the runtime has `adopt`. */
  readonly foreign?: ((target: Target, runtime: Runtime) => Promise<{ readonly selector: Json }>) | undefined
  /** Removes what is left of a target after its case. The kit removes what the contract can remove first. */
  readonly clean?: ((target: Target, runtime: Runtime) => Promise<void>) | undefined
  /** What timeouts are counted by. Default: the machine's. */
  readonly clock?: Clock | undefined
}

/** Command lines for what goes wrong; each prints and ends as said. */
export interface KitPrograms {
  /** Prints `the database is not there`, ends with 3. */
  readonly crashes: readonly string[]
  /** Prints `it sleeps`, runs on and listens nowhere. */
  readonly sleeps: readonly string[]
  /** Prints `it is migrated`, ends with 0. */
  readonly succeeds: readonly string[]
  /** Prints `there is no such table`, ends with 4. */
  readonly fails: readonly string[]
  /** Ends with 0 when `KIT_PLAIN`, `KIT_SECRET` and `PORT` are as `kitVariables` says, else with 5. */
  readonly checks: readonly string[]
}

/** Awkward on purpose: nothing may be expanded in them. */
export const kitVariables = { plain: '$(PORT) $$ $HOME "x"', secret: "pa$$ w0rd'" } as const

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

/** For images that have `sh` and `sleep`. */
export const shellPrograms: KitPrograms = {
  crashes: ['sh', '-c', 'echo the database is not there; exit 3'],
  sleeps: ['sh', '-c', 'echo it sleeps; exec sleep 600'],
  succeeds: ['sh', '-c', 'echo it is migrated'],
  fails: ['sh', '-c', 'echo there is no such table; exit 4'],
  checks: [
    'sh',
    '-c',
    `test "$KIT_PLAIN" = ${quoted(kitVariables.plain)} && test "$KIT_SECRET" = ${quoted(kitVariables.secret)} && test -n "$PORT" || exit 5`,
  ],
}

const node = (program: string) => ['node', '-e', program]

/** For images, or machines, that have `node`. */
export const nodePrograms: KitPrograms = {
  crashes: node(`console.log('the database is not there'); process.exitCode = 3`),
  sleeps: node(`console.log('it sleeps'); setTimeout(() => {}, 600000)`),
  succeeds: node(`console.log('it is migrated')`),
  fails: node(`console.log('there is no such table'); process.exitCode = 4`),
  checks: node(
    `const { KIT_PLAIN, KIT_SECRET, PORT } = process.env
    const good = KIT_PLAIN === ${JSON.stringify(kitVariables.plain)} && KIT_SECRET === ${JSON.stringify(kitVariables.secret)}
    process.exitCode = good && PORT ? 0 : 5`,
  ),
}
