import { writeFileSync } from 'node:fs'

/** Names the tests that were skipped, and leaves the counts in the file that KIWI_COUNTS names. */
// biome-ignore lint/style/noDefaultExport: the test runner imports the default export
export default class CountReporter {
  /**
   * @param {ReadonlyArray<import('vitest/node').TestModule>} modules
   * @param {ReadonlyArray<unknown>} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const skipped = tests.filter((test) => test.result().state === 'skipped')
    const failed = tests.filter((test) => test.result().state === 'failed')
    const broken = modules.filter((module) => module.errors().length > 0) // could not even be loaded
    if (skipped.length > 0) console.log(describeSkipped(skipped))
    const counts = {
      passed: tests.length - skipped.length - failed.length,
      failed: failed.length + broken.length + unhandledErrors.length,
      skipped: skipped.length,
    }
    if (process.env.KIWI_COUNTS) writeFileSync(process.env.KIWI_COUNTS, JSON.stringify(counts))
  }
}

/** @param {import('vitest/node').TestCase[]} tests */
function describeSkipped(tests) {
  const lines = tests.map((test) => {
    const result = test.result()
    const note = 'note' in result && result.note ? `: ${result.note}` : ''
    return `  ${test.module.relativeModuleId} > ${test.fullName}${note}`
  })
  return ['Skipped:', ...lines, ''].join('\n')
}
