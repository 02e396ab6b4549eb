import assert from 'node:assert/strict'
import type { Json } from '../../contracts/v1/json.js'
import type { Delivery, Refusal, SourceChange, Trigger } from '../../contracts/v1/trigger.js'
import { testContext } from '../context.js'
import { isPlainJson, isProbe } from './expect.js'
import type { KitCase } from './kit.js'

export interface TriggerKitOptions {
  trigger(): Trigger | Promise<Trigger>
  /** Needed where the trigger has `receive`: deliveries that are good, with what they say. */
  readonly deliveries?:
    | readonly { readonly delivery: Delivery; readonly changes: readonly SourceChange[] }[]
    | undefined
  /** True when a delivery whose body or signature was changed on its way must be refused. */
  readonly signed?: boolean | undefined
  /** Needed where the trigger has `poll`: makes a change, and says what is to be told of it. */
  readonly change?: ((trigger: Trigger) => Promise<SourceChange>) | undefined
  /** The values of secrets that the trigger was told the names of. */
  readonly secrets?: Readonly<Record<string, string>> | undefined
}

/** What every trigger keeps of its contract: it says what changed, and no delivery whatever makes it throw. */
export function triggerKit(options: TriggerKitOptions): readonly KitCase[] {
  const { deliveries = [], signed = false, secrets } = options
  const context = () => testContext({ secrets })
  const one = (name: string, check: (trigger: Trigger) => Promise<void>): KitCase => ({
    name,
    run: async () => check(await options.trigger()),
  })
  const receive = async (trigger: Trigger, delivery: Delivery) => trigger.receive?.(delivery, context())
  return [
    one('says in a probe what answers, and receives or polls', async (trigger) => {
      isProbe(await trigger.probe(context()), 'the trigger')
      assert.equal(trigger.contract, 'trigger/v1')
      assert.ok(trigger.receive ?? trigger.poll, 'it neither receives nor polls')
      assert.ok(!trigger.receive || deliveries.length > 0, 'give the kit `deliveries`: the trigger has `receive`')
      assert.ok(!trigger.poll || options.change, 'give the kit `change`: the trigger has `poll`')
    }),
    one('reads what deliveries say, the same each time', async (trigger) => {
      for (const { delivery, changes } of deliveries)
        for (const _ of [1, 2]) {
          const read = await receive(trigger, delivery)
          assert.deepEqual(read, changes)
          isPlainJson(read, 'what a delivery says')
        }
    }),
    one('leaves a delivery alone that is not meant for it', async (trigger) => {
      for (const { delivery } of deliveries)
        assert.equal(await receive(trigger, { ...delivery, path: '/of-no-trigger/at-all' }), undefined)
    }),
    one('refuses bodies that are no deliveries, and never throws', async (trigger) => {
      for (const { delivery } of deliveries)
        for (const body of badBodies(delivery.body)) {
          const read = await receive(trigger, { ...delivery, body })
          assert.ok(
            isRefusal(read) || read?.length === 0,
            `${Buffer.from(body).toString().slice(0, 40)}: ${JSON.stringify(read)}`,
          )
        }
    }),
    ...(signed ? [one('refuses what was forged', (trigger) => refusesForged(trigger, options, receive))] : []),
    one('tells a change once to each cursor, and nothing at the first look', async (trigger) => {
      if (!trigger.poll || !options.change) return
      const before = await options.change(trigger)
      const first = await trigger.poll(undefined, context())
      assert.deepEqual(first.changes, [], `the first look told ${JSON.stringify(before)}`)
      isPlainJson(first.cursor, 'a cursor')
      const made = await options.change(trigger)
      const kept = JSON.parse(JSON.stringify(first.cursor)) as Json // as the store keeps it
      const second = await trigger.poll(kept, context())
      assert.deepEqual(second.changes, [made])
      assert.deepEqual((await trigger.poll(second.cursor, context())).changes, [])
      assert.deepEqual((await trigger.poll(kept, context())).changes, [made], 'an older cursor is told it again')
    }),
  ]
}

function badBodies(good: Uint8Array): Uint8Array[] {
  const texts = [
    '',
    'null',
    '[]',
    '{}',
    '42',
    '"text"',
    '[null]',
    '[{}]',
    '{"ref":{}}',
    '{"commits":[{"added":1}]}',
    '\uFFFF',
  ]
  const nested = '['.repeat(50_000)
  return [
    ...[...texts, nested].map((text) => Buffer.from(text)),
    good.subarray(0, good.length / 2),
    Buffer.from([0xff, 0xfe, 0]),
  ]
}

function isRefusal(read: readonly SourceChange[] | Refusal | undefined): read is Refusal {
  return read !== undefined && 'refused' in read && read.status >= 400 && read.status < 500 && read.reason !== ''
}

async function refusesForged(
  trigger: Trigger,
  { deliveries = [] }: TriggerKitOptions,
  receive: (trigger: Trigger, delivery: Delivery) => Promise<readonly SourceChange[] | Refusal | undefined>,
): Promise<void> {
  for (const { delivery } of deliveries) {
    const spaced = Buffer.concat([delivery.body, Buffer.from(' ')])
    for (const forged of [
      { ...delivery, body: spaced },
      { ...delivery, headers: {} },
    ])
      assert.ok(isRefusal(await receive(trigger, forged)), 'a forged delivery was taken')
  }
}
