import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Load {
  /** Answers by what they said. */
  readonly answers: Map<string, number>
  readonly failures: string[]
  /** Stops and waits for what is open. */
  stop(): Promise<void>
}

/** Asks the address without a pause, each time over a new connection, by `workers` at once. */
export function load(address: string, workers = 4): Load {
  const answers = new Map<string, number>()
  const failures: string[] = []
  let on = true
  const work = async () => {
    while (on) {
      try {
        const text = await ask(address)
        answers.set(text, (answers.get(text) ?? 0) + 1)
      } catch (error) {
        failures.push(String(error))
      }
      await sleep(2)
    }
  }
  const working = Promise.all(Array.from({ length: workers }, work))
  return {
    answers,
    failures,
    async stop() {
      on = false
      await working
    },
  }
}

/** One request over a connection of its own; rejects on any status but 200. */
export function ask(address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(address, { agent: false, timeout: 5_000 }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('error', reject)
      response.on('end', () =>
        response.statusCode === 200 ? resolve(text.trim()) : reject(new Error(`status ${response.statusCode}`)),
      )
    })
    request.on('timeout', () => request.destroy(new Error('no answer within 5 s')))
    request.on('error', reject)
  })
}
