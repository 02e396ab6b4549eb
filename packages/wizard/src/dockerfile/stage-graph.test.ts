import { describe, expect, it } from 'vitest'
import { DockerfileSyntaxError, parseDockerfile, type StageGraphOptions, stageGraph } from './index.js'

const plan = (text: string, options?: StageGraphOptions) => stageGraph(parseDockerfile(text), options)
const order = (text: string, options?: StageGraphOptions) =>
  plan(text, options).stages.map(({ stage }) => stage.name ?? stage.index)

const text = [
  'FROM node AS deps',
  'FROM deps AS build',
  'FROM alpine AS unused',
  'FROM scratch AS tools',
  'FROM nginx AS web',
  'COPY --from=build /a /a',
  'COPY --from=3 /b /b',
  'COPY --from=docker.io/x/y:1 /c /c',
  'RUN --mount=from=Tools,target=/t true',
].join('\n')

describe('stageGraph', () => {
  it('keeps the stages the target needs, each after what it needs, and drops the others', () => {
    expect(order(text)).toEqual(['deps', 'build', 'tools', 'web'])
    expect(order(text, { target: 'Build' })).toEqual(['deps', 'build'])
    expect(order(text, { target: '2' })).toEqual(['unused'])
  })

  it('resolves FROM and from to stages, images and scratch', () => {
    const { target, stages } = plan(text)
    expect(target.base).toEqual({ kind: 'image', reference: 'nginx' })
    expect(target.references).toEqual({
      build: { kind: 'stage', index: 1 },
      3: { kind: 'stage', index: 3 },
      'docker.io/x/y:1': { kind: 'image', reference: 'docker.io/x/y:1' },
      Tools: { kind: 'stage', index: 3 },
    })
    expect(stages.map(({ base }) => base.kind)).toEqual(['image', 'stage', 'scratch', 'image'])
  })

  it('takes FROM name as an image unless an earlier stage has the name, but --from may look ahead', () => {
    expect(plan('FROM alpine AS alpine').target.base).toEqual({ kind: 'image', reference: 'alpine' })
    expect(order('FROM a AS first\nCOPY --from=later / /\nFROM b AS later\nFROM first')).toEqual(['later', 'first', 2])
  })

  it('expands FROM with global ARGs, build arguments and predefined variables', () => {
    const dockerfile = 'ARG MAJOR=24\nARG TAG=${MAJOR}-slim\nFROM --platform=$BUILDPLATFORM node:$TAG\nARG TAG'
    const options = { args: { MAJOR: '22', OTHER: 'x' }, predefined: { BUILDPLATFORM: 'linux/arm64' } }
    const { target, globalArgs } = plan(dockerfile, options)
    expect(target).toMatchObject({ base: { reference: 'node:22-slim' }, platform: 'linux/arm64' })
    expect(globalArgs).toEqual({ MAJOR: '22', TAG: '22-slim' })
    expect(plan('ARG constructor\nFROM a$constructor$toString').target.base).toEqual({ kind: 'image', reference: 'a' })
  })

  it('counts what the ONBUILDs of a base stage need', () => {
    expect(order('FROM a AS tools\nFROM b AS base\nONBUILD COPY --from=tools / /\nFROM base')).toEqual([
      'tools',
      'base',
      2,
    ])
    expect(order('FROM a AS tools\nFROM b AS base\nONBUILD COPY --from=tools / /')).toEqual(['base'])
  })

  it.each([
    ['FROM a AS x\nFROM b', { target: 'y' }, 'there is no stage "y"', 'x (0), 1'],
    ['FROM a\nCOPY --from=4 / /', {}, 'there is no stage 4', '0'],
    ['ARG V\nFROM $V', {}, 'empty once expanded', 'ARG'],
    ['FROM a AS x\nCOPY --from=y / /\nFROM b AS y\nCOPY --from=x / /', {}, 'y → x → y', 'circle'],
    ['FROM a AS x\nCOPY --from=x / /', {}, 'x → x', 'circle'],
  ])('refuses %j with %j', (dockerfile, options, message, hint) => {
    const attempt = () => plan(dockerfile, options)
    expect(attempt).toThrow(DockerfileSyntaxError)
    expect(attempt).toThrow(
      expect.objectContaining({ message: expect.stringContaining(message), hint: expect.stringContaining(hint) }),
    )
  })
})
