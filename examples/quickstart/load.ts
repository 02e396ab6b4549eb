import { Agent, get } from 'node:http'

/** A user's eye: how often the service was asked, and what went wrong. */
export interface Load {
  readonly counts: { total: number; failed: number }
  /** What went wrong first. */
  readonly failures: string[]
  stop(): Promise<void>
}

/** Asks all the time, one half over kept connections, one half over new ones, `everyMs` apart. */
export function startLoad(url: string, { everyMs = 20 }: { everyMs?: number } = {}): Load {
  const counts = { total: 0, failed: 0 }
  const failures: string[] = []
  const agents = [new Agent({ keepAlive: true, maxSockets: 4 }), new Agent({ keepAlive: false })]
  const open = new Set<Promise<void>>()
  const timer = setInterval(() => {
    const request = ask(url, agents[counts.total % 2])
      .then(() => undefined)
      .catch((error: Error) => {
        counts.failed += 1
        failures.push(error.message)
      })
      .finally(() => open.delete(request))
    counts.total += 1
    open.add(request)
  }, everyMs)
  return {
    counts,
    failures,
    async stop() {
      clearInterval(timer)
      await Promise.all(open)
      for (const agent of agents) agent.destroy()
    },
  }
}

/** The body of the answer; rejects for every status but 200. */
export function ask(url: string, agent?: Agent): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const request = get(url, { agent, timeout: 10_000 }, async (response) => {
    try {
      const chunks: string[] = []
      for await (const chunk of response.setEncoding('utf8')) chunks.push(chunk)
      if (response.statusCode === 200) resolve(chunks.join(''))
      else reject(new Error(`the answer was ${response.statusCode}: ${chunks.join('').slice(0, 200)}`))
    } catch (error) {
      reject(error)
    }
  })
  request.on('timeout', () => request.destroy(new Error('no answer within 10 s')))
  request.on('error', reject)
  return promise
}
