import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Load {
  /** Requests so far. */
  count(): number
  /** Bodies answered, in order of the answers, without repetitions: which version was seen after which. */
  seen(): readonly string[]
  failures(): readonly string[]
  /** Resolves when that many more have been answered. */
  more(requests: number): Promise<void>
  stop(): Promise<void>
}

/** Asks without a pause, half of the workers on connections that they keep, half with a new one each time. */
export function load(url: string, workers = 6): Load {
  const failures: string[] = []
  const seen: string[] = []
  let count = 0
  let running = true
  const work = async (index: number): Promise<void> => {
    const agent = new Agent({ keepAlive: index % 2 === 0, maxSockets: 1 })
    while (running) {
      const answer = await ask(url, agent).catch((error: Error) => error)
      count += 1
      if (answer instanceof Error) failures.push(answer.message)
      else if (seen.at(-1) !== answer) seen.push(answer)
    }
    agent.destroy()
  }
  const working = Promise.all(Array.from({ length: workers }, (_, index) => work(index)))
  return {
    count: () => count,
    seen: () => seen,
    failures: () => failures,
    async more(requests) {
      for (const goal = count + requests; count < goal; ) await sleep(20)
    },
    async stop() {
      running = false
      await working
    },
  }
}

export function ask(url: string, agent?: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, agent === undefined ? {} : { agent }, (response) => {
      let body = ''
      response.on('data', (chunk) => (body += chunk))
      response.on('error', reject)
      response.on('end', () =>
        response.statusCode === 200 ? resolve(body) : reject(new Error(`${response.statusCode} ${body}`)),
      )
    })
    request.on('error', reject)
  })
}
