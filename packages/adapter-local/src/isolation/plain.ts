import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { KiwiError } from '@kiwi/core'
import { type Layer, type LayerStore, materialise, type UpperDiff, type View } from '../layers/index.js'
import { toolPath } from '../tools/path.js'
import type { OnOutput, StepCommand, StepExit } from './command.js'
import { compareSnapshots, takeSnapshot } from './snapshot.js'

export interface PlainStep {
  /** An empty folder of this process. */
  readonly scratch: string
  readonly layers: readonly Layer[]
  readonly store: LayerStore
  readonly view: View
  readonly command: StepCommand
  readonly latestSeconds: number
  readonly onOutput: OnOutput
  readonly signal: AbortSignal
}

/**
 * Runs a command as a plain process in a copy of the image's files: its working directory is inside, but every absolute path is this
 * machine's, and so are the programs. Only for Dockerfiles that are trusted. Resolves with what changed in the copy.
 */
export async function runPlain(step: PlainStep): Promise<StepExit & { readonly diff: UpperDiff }> {
  const { scratch, layers, store, view, latestSeconds, signal } = step
  const root = join(scratch, 'root')
  await materialise(layers, root, { store, signal })
  await mkdir(join(root, step.command.directory), { recursive: true })
  const before = await takeSnapshot(root)
  const exitCode = await start(step, root)
  return { exitCode, diff: await compareSnapshots(root, before, { below: view, latestSeconds }) }
}

async function start({ command, onOutput, signal }: PlainStep, root: string): Promise<number> {
  signal.throwIfAborted()
  const [program = '', ...rest] = command.argv
  const inside = join(root, program)
  const child = spawn(program.startsWith('/') && !existsSync(program) && existsSync(inside) ? inside : program, rest, {
    cwd: join(root, command.directory),
    env: {
      ...command.env,
      HOME: join(root, command.env.HOME ?? '/'),
      PATH: `${dirname(process.execPath)}:${toolPath}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const stop = () => {
    if (child.pid !== undefined) endGroup(child.pid)
  }
  signal.addEventListener('abort', stop, { once: true })
  const forward = async (stream: Readable, name: 'out' | 'err') => {
    for await (const chunk of stream) await onOutput(chunk, name)
  }
  const closed = new Promise<number>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new KiwiError('BUILD_STEP_FAILED', `${program} could not be started`, { cause })),
    )
    child.once('exit', stop)
    child.once('close', (code, name) => resolve(code ?? 128 + (name === null ? 0 : constants.signals[name])))
  })
  try {
    const [exitCode] = await Promise.all([closed, forward(child.stdout, 'out'), forward(child.stderr, 'err')])
    signal.throwIfAborted()
    return exitCode
  } catch (error) {
    stop()
    await closed.catch(() => undefined)
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** What the command left running has its group, and no one else has. */
function endGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL')
  } catch {
    // Nothing of it is left.
  }
}
