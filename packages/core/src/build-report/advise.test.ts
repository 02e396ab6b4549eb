import { describe, expect, it } from 'vitest'
import { type AdvisedBuild, adviseBuild } from './advise.js'

const quiet: AdvisedBuild = { sizeBytes: 1, layers: [], steps: [], wasted: { bytes: 0, largest: [] }, bulk: {} }
const codes = (build: Partial<AdvisedBuild>) => adviseBuild({ ...quiet, ...build }).map(({ code }) => code)
const copy = (missedBecause: string) => ({ step: '2', instruction: 'COPY . .', durationMs: 5, missedBecause })
const install = { step: '3', instruction: 'RUN npm ci', durationMs: 42_000, missedBecause: 'an earlier step changed' }
const layer = { digest: 'sha256:0', instruction: '', files: 1 }

describe('advice on a build', () => {
  it('is none where no figure supports any', () => {
    expect(codes({})).toEqual([])
  })

  it('says to install before the code is copied, with what it cost, only where code made it run again', () => {
    const [advice] = adviseBuild({ ...quiet, steps: [copy('src/a.ts changed'), install] })
    expect(advice).toMatchObject({ code: 'dependencies-first', gainMs: 42_000 })
    expect(advice?.because).toBe('“RUN npm ci” took 42.0 s again because src/a.ts changed')
    expect(codes({ steps: [copy('package-lock.json changed'), install] })).toEqual([])
    expect(codes({ steps: [copy('src/a.ts changed'), { ...install, missedBecause: 'instruction changed' }] })).toEqual(
      [],
    )
    expect(
      codes({ steps: [copy('src/a.ts changed'), { ...install, cachedFrom: 'layer cache', missedBecause: undefined }] }),
    ).toEqual([])
  })

  it('tells what of the source and of package managers lies in the image', () => {
    expect(codes({ bulk: { '.git': 20e6, node_modules: 5e6, '/root/.npm': 30e6 } })).toEqual([
      'ignore-files',
      'multi-stage',
    ])
  })

  it('tells what later layers hide', () => {
    const largest = [{ path: 'tmp/big', bytes: 40e6, by: 'RUN rm /tmp/big' }]
    expect(adviseBuild({ ...quiet, wasted: { bytes: 41e6, largest } })).toMatchObject([
      { gainBytes: 41e6, because: '41.0 MB are in the image and hidden, 40.0 MB of it /tmp/big' },
    ])
    expect(codes({ wasted: { bytes: 1e6, largest } })).toEqual([])
  })

  it('tells of a large base only where it is most of the image, and not a small one already', () => {
    const layers = [
      { ...layer, sizeBytes: 300e6, isOfBase: true },
      { ...layer, sizeBytes: 50e6, isOfBase: false },
    ]
    expect(codes({ layers, sizeBytes: 350e6, base: 'node:24' })).toEqual(['small-base'])
    expect(codes({ layers, sizeBytes: 350e6, base: 'node:24-slim' })).toEqual([])
    expect(codes({ layers, sizeBytes: 900e6, base: 'node:24' })).toEqual([])
    expect(codes({ layers, sizeBytes: 350e6 })).toEqual([])
  })

  it('names the slowest step of a build of more than five minutes, always', () => {
    const steps = [
      { ...install, missedBecause: 'first build', durationMs: 290_000 },
      { ...copy('first build'), durationMs: 20_000 },
    ]
    expect(codes({ steps })).toEqual(['slowest-step'])
  })
})
