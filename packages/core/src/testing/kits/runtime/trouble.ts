import assert from 'node:assert/strict'
import { isPlainJson, within } from '../expect.js'
import type { KitCase } from '../kit.js'
import { type Bench, instancesIn, runtimeCase } from './bench.js'
import type { RuntimeKitOptions } from './options.js'

const missingProgram = '/no/such/program'

/** What goes wrong with instances, and what they say. */
export function troubleCases(options: RuntimeKitOptions): KitCase[] {
  return [
    runtimeCase(
      options,
      'shows an instance that ends by itself, that it is started again, and what it said',
      async (bench) => {
        const { order, until, programs, runtime, target, context } = bench
        await order(withProgram(bench, 'bad', programs.crashes))
        const ended = await until('it ended', (seen) => instancesIn(seen, 'bad').some(({ exitCode }) => exitCode === 3))
        assert.ok(
          instancesIn(ended, 'bad').every(({ ready }) => !ready),
          'it is not ready',
        )
        await until('it was started again', (seen) => instancesIn(seen, 'bad').some(({ restarts }) => restarts >= 1))
        const evidence = await runtime.evidence(target, 'bad', context())
        isPlainJson(evidence, 'evidence')
        assert.ok(
          evidence.instances.some(({ exitCode }) => exitCode === 3),
          'evidence has the exit code',
        )
        const lines = evidence.instances.flatMap(({ lastOutput }) => lastOutput)
        assert.ok(lines.includes('the database is not there'), `evidence has the output: ${lines.join(' | ')}`)
      },
    ),
    runtimeCase(options, 'does not call an instance ready that does not pass its health check', async (bench) => {
      const { order, until, programs, look, clock, context } = bench
      await order(withProgram(bench, 'mute', programs.sleeps))
      await until('it runs', (seen) => instancesIn(seen, 'mute').some(({ phase }) => phase === 'running'))
      for (let times = 0; times < 5; times++) {
        assert.ok(
          instancesIn(await look(), 'mute').every(({ ready }) => !ready),
          'it is called ready',
        )
        await clock.sleep((options.quietMs ?? 500) / 5, context().signal)
      }
    }),
    runtimeCase(options, 'says why a program can never be started', async (bench) => {
      const { order, until } = bench
      await order(withProgram(bench, 'gone', [missingProgram]))
      const seen = await until('there is a reason', (one) =>
        instancesIn(one, 'gone').some(({ reason, ready }) => !ready && reason !== undefined && reason !== ''),
      )
      const messages = instancesIn(seen, 'gone').map(({ message }) => message ?? '')
      assert.ok(
        messages.some((message) => message !== ''),
        'there is a message',
      )
    }),
    runtimeCase(options, 'has evidence also of a slot that is not there', async ({ runtime, target, context }) => {
      assert.deepEqual((await runtime.evidence(target, 'nothing', context())).instances, [])
    }),
    runtimeCase(options, 'gives what instances print, where it says that it can, and ends', async (bench) => {
      const { order, programs, runtime, target, context, clock, withinMs } = bench
      if (!runtime.logs) return
      await order(withProgram(bench, 'mute', programs.sleeps))
      const stop = new AbortController()
      const logs = runtime.logs(target, 'mute', { follow: true }, context(1, stop.signal))
      const first = async () => {
        for await (const { text } of logs) if (text === 'it sleeps') stop.abort()
      }
      await within(
        clock,
        withinMs,
        'following ends with the signal',
        first().catch(() => undefined),
      )
      assert.ok(stop.signal.aborted, 'the line never came')
      const kept = Array.fromAsync(runtime.logs(target, 'mute', { follow: false }, context()))
      const lines = await within(clock, withinMs, 'it ends without being followed', kept)
      assert.deepEqual(
        lines.map(({ text }) => text).filter((text) => text === 'it sleeps'),
        ['it sleeps'],
      )
      assert.ok(lines.every(({ instance, stream }) => instance !== '' && stream === 'out'))
    }),
  ]
}

function withProgram({ ensure }: Bench, slot: string, program: readonly string[]) {
  const order = ensure(slot)
  const [entrypoint = '', ...command] = program
  return { ...order, spec: { ...order.spec, entrypoint: [entrypoint], command } }
}
