import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KiwiError } from '@kiwi/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { layerOf, overlayMissing } from '../layers/testing.js'
import { type Bench, type Built, bench, busybox } from './testing.js'

const missing = overlayMissing ?? (busybox === undefined ? 'no busybox on this machine' : undefined)
if (missing) console.warn(`SKIPPED: tests of stages side by side (${missing})`)

let at: Bench
beforeEach(async () => {
  at = bench({ isolation: 'namespaces' })
  const program = layerOf(
    ['bin/'],
    ...['sh', 'sleep', 'echo', 'test', 'true'].map((name) => [`bin/${name}`, '-> busybox'] as const),
  )
  const box = layerOf(['bin/', ''], ['bin/busybox', readFileSync(busybox ?? ''), { mode: 0o755 }])
  await at.base('base', [box, program], { Env: ['PATH=/bin'] })
})
afterEach(() => at[Symbol.dispose]())

/** Says that it is there and waits for the other: ends well only when both run at once. */
const meet = (own: string, other: string) =>
  `RUN --mount=type=cache,target=/c echo > /c/${own}; i=0; while [ ! -e /c/${other} ]; do i=$((i + 1)); [ $i -lt 80 ] || exit 7; sleep 0.05; done; echo ${own} > /${own}`

const stepsOf = ({ context }: Built) =>
  context.facts.flatMap((fact) => (fact.type === 'step-started' ? [`${fact.index} ${fact.step}`] : []))

describe.skipIf(missing)('stages', () => {
  it('that do not need each other run at once, numbered by their place', async () => {
    const dockerfile = `FROM base AS a\n${meet('a', 'b')}\nFROM base AS b\n${meet('b', 'a')}
FROM scratch\nCOPY --from=a /a /\nCOPY --from=b /b /\n`
    const built = await at.build(dockerfile)
    expect(Object.keys(built.tree())).toEqual(['a', 'b'])
    expect(stepsOf(built).sort()).toEqual(['0 a/1', '1 a/2', '2 b/1', '3 b/2', '4 2/1', '5 2/2', '6 2/3'])
    expect((await at.build(dockerfile)).layers).toEqual(built.layers)
  })

  it('end when one fails, which is what the build is told', async () => {
    const started = performance.now()
    const dockerfile = `FROM base AS a\nRUN sleep 60\nFROM base AS b\nRUN exit 3
FROM scratch\nCOPY --from=a / /\nCOPY --from=b / /\n`
    const error = await at.build(dockerfile).catch(KiwiError.from)
    expect(error).toMatchObject({ code: 'BUILD_STEP_FAILED', evidence: { step: 'b/2', exitCode: 3 } })
    expect(performance.now() - started).toBeLessThan(30_000)
    expect(readdirSync(join(at.state, 'work'))).toEqual([])
  })

  it('wait for a stage that a mount of theirs shows', async () => {
    const { tree } = await at.build(
      'FROM base AS a\nRUN sleep 0.3; echo 1 > /x\nFROM base\nRUN --mount=from=a,target=/m test -e /m/x && echo > /y',
    )
    expect(Object.keys(tree())).toContain('y')
  })
})
