import { describe, expect, test } from 'vitest'
import { moved, refused } from './errors.js'

const asked = { method: 'PATCH', path: '/x' }
const cause = { field: 'spec.ports[0].nodePort', message: 'Invalid value: 30999: provided port is already allocated' }
const failedTest = {
  status: 422,
  body: {
    kind: 'Status',
    message: 'the server rejected our request due to an error in our request',
    reason: 'Invalid',
    details: {},
  },
}
const invalid = {
  status: 422,
  body: { kind: 'Status', message: `Service "x" is invalid: ${cause.message}`, details: { causes: [cause] } },
}

describe('a refusal of the API server', () => {
  test('is a moved state when a patch’s test failed, and a fault of the request when validation found a cause', () => {
    expect(moved(failedTest)).toBe(true)
    expect(moved({ status: 409, body: { reason: 'Conflict' } })).toBe(true)
    expect(moved(invalid)).toBe(false)
  })

  test('keeps the server’s own words and has no effect when it was judged', () => {
    expect(refused(failedTest, asked)).toMatchObject({ code: 'CONFLICT', effect: 'none' })
    expect(refused(invalid, asked)).toMatchObject({ code: 'PORT_TAKEN', effect: 'none' })
    const denied = refused({ status: 403, body: { message: 'pods is forbidden', reason: 'Forbidden' } }, asked)
    expect(denied).toMatchObject({
      code: 'RUNTIME_FAILED',
      retryable: false,
      effect: 'none',
      message: 'PATCH /x: pods is forbidden',
    })
    expect(denied.evidence).toEqual({ status: 403, reason: 'Forbidden' })
  })

  test('has an unknown effect when the server failed during a write, and none during a read', () => {
    expect(refused({ status: 504, body: 'timeout' }, asked)).toMatchObject({ effect: 'unknown', retryable: true })
    expect(refused({ status: 504, body: 'timeout' }, { method: 'GET', path: '/x' }).effect).toBe('none')
  })
})
