import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Load {
  /** Requests so far. */
  count(): number
  /** The different answers to requests that began after the last mark. */
  seen(): readonly string[]
  /** From here on: what is asked now must not be answered as before. */
  mark(): void
  failures(): readonly string[]
  /** Resolves when that many more have been answered. */
  more(requests: number): Promise<void>
  stop(): Promise<void>
}

/** Asks without a pause, half of the workers on connections that they keep, half with a new one each time. */
export function load(url: string, workers = 6): Load {
  const failures: string[] = []
  let seen = new Set<string>()
  let count = 0
  let running = true
  const work = async (index: number): Promise<void> => {
    const agent = new Agent({ keepAlive: index % 2 === 0, maxSockets: 1 })
    while (running) {
      const noted = seen
      const answer = await ask(url, agent).catch((error: Error) => error)
      count += 1
      if (answer instanceof Error) failures.push(answer.message)
      else noted.add(answer)
    }
    agent.destroy()
  }
  const working = Promise.all(Array.from({ length: workers }, (_, index) => work(index)))
  return {
    count: () => count,
    seen: () => [...seen],
    mark: () => {
      seen = new Set()
    },
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
