// What the process under test is to do, and what must be so in the end, whatever happened on the way. Every run has a request id, so that a
// process that begins the script again finds the runs that were taken in already.
const asked = { environment: 'production', by: 'campaign' }

/** @returns {import('@kiwi/core').ServiceDefinition} */
export function definition(name, repository) {
  /** @type {import('@kiwi/core').EnvironmentDefinition} */
  const environment = { runtime: 'campaign', replicas: 2, health: { type: 'tcp' }, publish: { protocol: 'tcp' } }
  const command = ['migrate']
  return {
    name,
    source: { git: repository },
    image: { registry: 'campaign', repository: name },
    environments: {
      production: {
        ...environment,
        strategy: name.includes('recreate') ? 'recreate' : name.includes('rolling') ? 'rolling' : 'blue-green',
        beforeSwitch: { command },
      },
    },
  }
}

const settle = async (started) => {
  const run = await started
  return run.result
}

/** @type {Record<string, { play(kiwi: import('@kiwi/core').Kiwi, service: string): Promise<void>, history: string, routed: string | null, tasks: number, builds: number }>} */
export const scripts = {
  line: {
    async play(kiwi, service) {
      await settle(kiwi.release(service, { ...asked, ref: 'one', requestId: '1' }))
      await settle(kiwi.release(service, { ...asked, ref: 'two', requestId: '2' }))
      await settle(kiwi.rollback(service, { ...asked, requestId: '3' }))
    },
    history: '1 release, 2 release, 3 rollback',
    routed: 'r1',
    tasks: 2,
    builds: 2,
  },
  changes: {
    async play(kiwi, service) {
      const first = await settle(kiwi.release(service, { ...asked, ref: 'one', requestId: '1' }))
      await settle(kiwi.scale(service, { ...asked, replicas: 3, requestId: '2' }))
      await settle(kiwi.restart(service, { ...asked, requestId: '3' }))
      await settle(kiwi.deploy(service, { ...asked, image: first.image.digest, requestId: '4' }))
    },
    history: '1 release, 2 scale, 3 restart, 4 deploy',
    routed: 'r4',
    tasks: 2,
    builds: 1,
  },
  away: {
    async play(kiwi, service) {
      await settle(kiwi.build(service, { by: 'campaign', ref: 'two', requestId: 'b' }))
      await settle(kiwi.release(service, { ...asked, ref: 'one', requestId: '1' }))
      await settle(kiwi.undeploy(service, { ...asked, requestId: '2' }))
    },
    history: '1 release, 2 undeploy',
    routed: null,
    tasks: 1,
    builds: 2,
  },
}
