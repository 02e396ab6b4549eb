import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkTagRule, imageTag } from './tag.js'

const commit = 'a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f6a7b8c9d0'
const main = { commit, ref: 'main', branch: 'main' }
const tagged = { commit, ref: 'v1.0.0', tag: 'v1.0.0' }
const bare = { commit, ref: commit }
const refusal = expect.objectContaining({ code: 'INPUT_INVALID' })
const legal = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/

describe('a tag rule', () => {
  it.each([
    ['${BRANCH}-${SHORT_SHA}', main, 'main-a1b2c3d'],
    ['${TAG}', tagged, 'v1.0.0'],
    ['release_${TAG}.${BUILD_NUMBER}', tagged, 'release_v1.0.0.42'],
    ['${BUILD_NUMBER}', bare, '42'],
    ['latest', bare, 'latest'],
    ['${BRANCH}', { ...main, branch: 'feature/x' }, 'feature-x'],
    ['${BRANCH}', { ...main, branch: 'feature//x@@y' }, 'feature-x-y'],
    ['${BRANCH}-${SHORT_SHA}', { ...main, branch: '기능' }, 'a1b2c3d'],
    ['${SHORT_SHA}${SHORT_SHA}', bare, 'a1b2c3da1b2c3d'],
  ])('%s makes a tag of what the run has', (rule, revision, tag) => {
    expect(imageTag(rule, revision, 42)).toBe(tag)
  })

  it('that is not given follows what the run has', () => {
    expect(imageTag(undefined, main, 1)).toBe('main-a1b2c3d')
    expect(imageTag(undefined, tagged, 1)).toBe('v1.0.0-a1b2c3d')
    expect(imageTag(undefined, bare, 1)).toBe('a1b2c3d')
  })

  it('tells uncommitted files from those of the commit', () => {
    const contentDigest = `sha256:${'0f1e2d3c'.repeat(8)}`
    expect(imageTag('${SHORT_SHA}', { ...main, dirty: true, contentDigest }, 1)).toBe('a1b2c3d-dirty-0f1e2d3')
    expect(imageTag('${SHORT_SHA}', { ...main, dirty: false, contentDigest }, 1)).toBe('a1b2c3d')
  })

  it.each([
    ['${BRANCH}-${SHORT_SHA}', tagged, 'BRANCH'],
    ['${BRANCH}', bare, 'BRANCH'],
    ['${TAG}', main, 'TAG'],
  ])('%s is refused for a run that lacks a variable', (rule, revision, lacking) => {
    checkTagRule(rule)
    expect(() => imageTag(rule, revision, 1)).toThrow(`has no ${lacking}`)
    expect(() => imageTag(rule, revision, 1)).toThrow(refusal)
  })

  it.each([
    '',
    '${NAME}',
    '${}',
    '${branch}',
    '$BRANCH',
    '${BRANCH',
    'BRANCH}',
    '${${BRANCH}}',
    'a/b',
    'a:b',
    'a b',
    '-${TAG}',
    '.x',
    'é',
    'a\n',
    '$(id)',
    '`id`',
    'x'.repeat(129),
    '${TAG}'.repeat(129),
    '${__proto__}',
    '${constructor}',
  ])('%j is refused before anything is built', (rule) => {
    expect(() => checkTagRule(rule)).toThrow(refusal)
    expect(() => imageTag(rule, { ...main, tag: 'v1' }, 1)).toThrow(refusal)
  })

  it('cuts a long branch name, so that what tells builds apart stays', () => {
    const tag = imageTag('${BRANCH}-${SHORT_SHA}', { ...main, branch: 'b'.repeat(240) }, 1)
    expect(tag).toBe(`${'b'.repeat(120)}-a1b2c3d`)
  })

  it('refuses a git tag that is too long, and a branch of which nothing is left', () => {
    expect(() => imageTag('${TAG}', { ...tagged, tag: 'v'.repeat(129) }, 1)).toThrow(/more than 128/)
    expect(() => imageTag('${BRANCH}', { ...main, branch: 'ü' }, 1)).toThrow(/nothing/)
  })

  it('refuses a build number that is none', () => {
    for (const number of [0, -1, 1.5, Number.NaN, 2 ** 60])
      expect(() => imageTag('${BUILD_NUMBER}', main, number)).toThrow('has no BUILD_NUMBER')
  })

  it('gives a legal tag or none, of whatever branches, tags and rules', () => {
    const text = fc.string({ unit: 'binary', maxLength: 200 })
    const piece = fc.oneof(
      fc.constantFrom('${BRANCH}', '${TAG}', '${SHORT_SHA}', '${BUILD_NUMBER}', '-', '.', 'v'),
      text,
    )
    const rule = fc.option(
      fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join('')),
      { nil: undefined },
    )
    fc.assert(
      fc.property(
        rule,
        text,
        fc.option(text, { nil: undefined }),
        text,
        fc.integer(),
        (rule, commit, branch, tag, number) => {
          try {
            return legal.test(imageTag(rule, { commit, ref: 'x', branch, tag }, number))
          } catch (error) {
            return (error as { code?: unknown }).code === 'INPUT_INVALID'
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})
