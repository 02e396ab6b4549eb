import type { Action, Context, RouteTo, Target } from '@kiwi/core'
import { conflict, moved, refusal } from './errors.js'
import { admit, look } from './fence/ordered.js'
import { jsonPatch, tokenPatch, write } from './fence/write.js'
import { labels, labelValue, placeOf } from './objects/names.js'
import { routedSlots } from './objects/read.js'
import { ensureSlot } from './slots/ensure.js'
import { removeSlot, removeTarget } from './slots/remove.js'
import { type Admitted, slotIn } from './slots/scale.js'
import { runOnce } from './slots/task.js'
import type { Answer, Client } from './transport/client.js'

/** The cluster's own writes on the same object (its status) may come between the look and the write this often. */
const attempts = 6

/** Carries out one action as one conditional write. A write whose precondition fails is judged anew from a fresh look. */
export async function act(client: Client, target: Target, action: Action, context: Context): Promise<void> {
  const place = placeOf(client, target)
  for (let attempt = 0; attempt < attempts; attempt++) {
    const ordered = await look(client, place, context.signal)
    admit(ordered, action.revision, context)
    const answer = await carryOut(action, {
      client,
      place,
      context,
      service: ordered.service,
      deployments: ordered.deployments,
      jobs: ordered.jobs,
    })
    if (answer === undefined || !moved(answer)) return
  }
  throw conflict('the target kept changing between look and write')
}

/** `undefined`: it is so already. */
function carryOut(action: Action, admitted: Admitted): Promise<Answer | undefined> {
  switch (action.type) {
    case 'ensure-slot':
      return ensureSlot(action, admitted)
    case 'route':
      return route(action, admitted)
    case 'run-once':
      return runOnce(action, admitted)
    case 'remove-slot':
      return removeSlot(action, admitted)
    case 'remove-target':
      return removeTarget(admitted)
  }
}

async function route({ from, to }: RouteTo, admitted: Admitted): Promise<Answer | undefined> {
  const { client, place, service, deployments, context } = admitted
  const now = routedSlots(service, deployments)
  if (JSON.stringify([...from].sort()) !== JSON.stringify([...now].sort())) {
    throw conflict(`the route goes to ${now.join(', ') || 'nothing'}, not to ${from.join(', ') || 'nothing'}`)
  }
  const [slot, ...more] = to
  if (more.length > 0) throw refusal('the route of a Service goes to one slot')
  const label = slot === undefined ? '' : labelValue(slot)
  if (slot !== undefined && !slotIn(admitted, slot)) throw refusal(`there is no slot ${slot} to route to`)
  const path = `/spec/selector/${labels.slot.replace('/', '~1')}`
  const changes = [
    { op: 'test', path, value: service.spec?.selector?.[labels.slot] },
    { op: 'replace', path, value: label },
    ...tokenPatch(service, context.operation.fence.token),
  ]
  return write(client, jsonPatch(place.service, service, changes), context)
}
