import { KiwiError } from '@kiwi/core'
import type Docker from 'dockerode'
import { attempt, fromPull, statusOf, wordsOf } from '../errors.js'

/** Pulls the image unless the engine has it. Changes nothing else, so a failure has no effect. */
export async function pullMissing(docker: Docker, image: string, signal: AbortSignal): Promise<void> {
  if (await hasImage(docker, image)) return
  const stream = await startPull(docker, image, signal)
  // A failure stands in the stream, as the last line of one that otherwise looks complete.
  for await (const event of jsonLines(stream)) {
    signal.throwIfAborted()
    if (event.error !== undefined) throw fromPull(event.error, image)
  }
}

async function hasImage(docker: Docker, image: string): Promise<boolean> {
  try {
    await docker.getImage(image).inspect()
    return true
  } catch (thrown) {
    if (statusOf(thrown) === 404) return false
    return attempt(`looking for the image ${image}`, 'none', () => Promise.reject(thrown))
  }
}

async function startPull(docker: Docker, image: string, signal: AbortSignal): Promise<NodeJS.ReadableStream> {
  try {
    return await docker.pull(image, { abortSignal: signal })
  } catch (thrown) {
    signal.throwIfAborted()
    if (statusOf(thrown) === undefined) return attempt(`pulling ${image}`, 'none', () => Promise.reject(thrown))
    throw fromPull(wordsOf(thrown), image, thrown)
  }
}

async function* jsonLines(stream: NodeJS.ReadableStream): AsyncGenerator<{ readonly error?: string }> {
  let rest = ''
  for await (const chunk of stream) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines.filter((text) => text.trim() !== '')) yield parseLine(line)
  }
}

function parseLine(line: string): { readonly error?: string } {
  try {
    return JSON.parse(line)
  } catch {
    throw new KiwiError(
      'RUNTIME_FAILED',
      `the engine answered a pull with something else than JSON: ${line.slice(0, 200)}`,
    )
  }
}
