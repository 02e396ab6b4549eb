export { type TestContext, testContext } from './context.js'
