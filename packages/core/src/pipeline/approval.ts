import { environmentOf } from './lookup.js'
import type { EnvironmentRun } from './pipeline-run.js'

const lookEveryMs = 500

/** Where the environment asks for it: waits until someone approves the run. The commands are its journal. */
export async function approval(run: EnvironmentRun): Promise<void> {
  if (!environmentOf(run).approval || run.journal.has('deploy')) return
  for (let told = false; ; told = true) {
    run.stoppable.throwIfAborted()
    if ((await run.commands()).some(({ type }) => type === 'approve')) return
    if (!told) run.events.emit({ type: 'run-waiting', for: 'approval', what: 'someone approves it' })
    await run.clock.sleep(lookEveryMs, run.stoppable).catch(() => run.stoppable.throwIfAborted())
  }
}
