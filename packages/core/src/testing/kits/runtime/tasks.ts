import assert from 'node:assert/strict'
import type { TaskState } from '../../../contracts/v1/snapshot.js'
import { isPlainJson, rejects } from '../expect.js'
import type { KitCase } from '../kit.js'
import { type Bench, instancesIn, runtimeCase, slotIn, taskIn } from './bench.js'
import { kitVariables, type RuntimeKitOptions } from './options.js'

/** Commands that run once. */
export function taskCases(options: RuntimeKitOptions): KitCase[] {
  return [
    runtimeCase(options, 'runs a command once to its end, outside every slot', async (bench) => {
      const { order, runOnce, programs, look } = bench
      const before = await look()
      await order(runOnce('migrate', 'a', programs.succeeds))
      const task = await ended(bench, 'migrate')
      assert.deepEqual([task.phase, task.exitCode, task.slot], ['succeeded', 0, 'a'])
      const after = await look()
      assert.notEqual(after.revision, before.revision, 'a command is an order')
      assert.deepEqual([after.slots, after.route.slots], [[], []])
      isPlainJson(after, 'a snapshot')
    }),
    runtimeCase(options, 'does not run a command again that has that name already', async (bench) => {
      const { order, runOnce, programs, look, clock, context } = bench
      await order(runOnce('migrate', 'a', programs.succeeds))
      await ended(bench, 'migrate')
      const before = await look()
      await order(runOnce('migrate', 'a', programs.fails))
      await clock.sleep(options.quietMs ?? 500, context().signal)
      const after = await look()
      assert.deepEqual([after.revision, after.tasks], [before.revision, before.tasks])
    }),
    runtimeCase(options, 'shows a command that failed, and what it said', async (bench) => {
      const { runtime, target, context, order, runOnce, programs } = bench
      await order(runOnce('migrate', 'a', programs.fails))
      const task = await ended(bench, 'migrate')
      assert.deepEqual([task.phase, task.exitCode], ['failed', 4])
      const { instances } = await runtime.evidence(target, 'migrate', context())
      assert.ok(
        instances.some(({ exitCode }) => exitCode === 4),
        'evidence has the exit code',
      )
      const lines = instances.flatMap(({ lastOutput }) => lastOutput)
      assert.ok(lines.includes('there is no such table'), `evidence has the output: ${lines.join(' | ')}`)
    }),
    runtimeCase(
      options,
      'gives a command its variables as they are, secrets too, and shows them nowhere',
      async (bench) => {
        const { order, runOnce, programs, look } = bench
        const env = { KIT_PLAIN: kitVariables.plain, KIT_SECRET: { secret: 'KIT_SECRET' } }
        await order(runOnce('check', 'a', programs.checks, { env }))
        assert.deepEqual((await ended(bench, 'check')).exitCode, 0, 'a variable is missing or was changed on its way')
        assert.ok(!JSON.stringify(await look()).includes(kitVariables.secret), 'a snapshot shows the secret')
      },
    ),
    runtimeCase(
      options,
      'removes a command with its slot, also one that runs and where there is no slot',
      async (bench) => {
        const { order, runOnce, programs, until, ready } = bench
        await order(runOnce('one', 'a', programs.sleeps))
        await until('it runs', (seen) => taskIn(seen, 'one')?.phase === 'running')
        await ready('b')
        await order(runOnce('two', 'b', programs.succeeds))
        await order({ type: 'remove-slot', slot: 'a' })
        const seen = await until('it is gone', ({ tasks }) => tasks.every(({ slot }) => slot !== 'a'))
        assert.ok(taskIn(seen, 'two'), 'the command of another slot is kept')
        assert.equal(instancesIn(seen, 'b').length, 1)
        await order({ type: 'remove-slot', slot: 'b' })
        await until('all is gone', ({ tasks, slots }) => tasks.length === 0 && slots.length === 0)
      },
    ),
    runtimeCase(options, 'refuses a command with a missing secret before it makes anything', async (bench) => {
      const { runtime, target, context, look, runOnce, programs } = bench
      const { revision } = await look()
      const order = runOnce('migrate', 'a', programs.succeeds, { env: { NOPE: { secret: 'NOPE' } } })
      const call = runtime.act(target, { ...order, revision }, context())
      await rejects(call, 'a missing secret', { codes: ['SECRET_MISSING'], effect: 'none' })
      const after = await look()
      assert.deepEqual([after.tasks, slotIn(after, 'a')], [[], undefined])
    }),
  ]
}

async function ended({ until }: Bench, id: string): Promise<TaskState> {
  const over = (task: TaskState | undefined) => task?.phase === 'succeeded' || task?.phase === 'failed'
  const seen = await until(`${id} has ended`, (snapshot) => over(taskIn(snapshot, id)))
  return taskIn(seen, id) ?? assert.fail('it is not there')
}
