import type { ErrorCode } from '../errors/catalogue.js'
import type { Failure } from '../rollout/types.js'
import type { Diagnosis } from './diagnosis.js'

/** The route was moved, and traffic still goes elsewhere. */
export function unsettled(to: string): Failure {
  return failed('ROLLOUT_DEADLINE', `not all traffic goes to ${to}`, {
    code: 'nothing-happens',
    owner: 'platform',
    remedies: [
      { what: 'Look whether the runtime’s edge or Service is healthy: it takes the order and does not carry it out.' },
    ],
  })
}

/** Something was ordered to end and does not. */
export function stuck(what: string): Failure {
  return failed('ROLLOUT_DEADLINE', what, {
    code: 'nothing-happens',
    owner: 'platform',
    remedies: [
      {
        what: 'Look on the runtime’s host or node what keeps it: a process that cannot be killed, a volume, a lost node.',
      },
    ],
  })
}

export function notRouted(slot: string): Failure {
  return failed('CONFLICT', `${slot} does not get the traffic any more: someone else changed the route`, {
    code: 'unknown',
    owner: 'platform',
    remedies: [{ what: 'Look at the history for what runs now, and ask again.' }],
  })
}

export function toNothing(slot: string): Failure {
  return failed('INPUT_INVALID', `${slot} cannot be scaled to no instances`, {
    code: 'unknown',
    owner: 'configuration',
    remedies: [{ what: 'Use undeploy to take the environment away.' }],
  })
}

function failed(
  code: ErrorCode,
  message: string,
  { code: kind, owner, remedies }: Pick<Diagnosis, 'code' | 'owner' | 'remedies'>,
): Failure {
  const diagnosis: Diagnosis = {
    code: kind,
    verdict: 'fatal',
    confidence: 'certain',
    owner,
    message,
    evidence: {},
    remedies,
  }
  return { type: 'fail', code, message, evidence: {}, diagnosis }
}
