import type { Duplex } from 'node:stream'
import { KiwiError } from '@kiwi/core'
import type Docker from 'dockerode'
import { attempt } from '../errors.js'
import { frameReader } from '../frames.js'
import { commandPort, stateDirectory } from './places.js'
import { commandLine, type EdgeCommand, type EdgeState, parseAnswer } from './protocol.js'

/** An open line to the edge's command socket, through the engine: works wherever the engine can be reached. Questions are asked one at a time. */
export interface EdgeSession extends AsyncDisposable {
  ask(command: EdgeCommand): Promise<EdgeState>
}

/**
 * Carries lines from its input to the socket and answers back, each answer ended by a zero byte. It ends with its input, so with us.
 * An answer to a write is given only when the state is on the disk, not merely in its cache.
 */
const unreachable = 'unreachable'
const relay = `
while IFS= read -r line; do
  { printf '%s\\n' "$line" >&3; cat <&3; } 3<>/dev/tcp/127.0.0.1/${commandPort} || printf '${unreachable}'
  case $line in 'kiwi show') ;; *) sync ${stateDirectory}/state ${stateDirectory} ;; esac
  printf '\\0'
done 2>/dev/null`

export async function openSession(docker: Docker, containerId: string): Promise<EdgeSession> {
  const stream = await attempt('opening a session with the edge', 'none', async () => {
    const exec = await docker.getContainer(containerId).exec({
      Cmd: ['bash', '-c', relay],
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
    })
    return exec.start({ hijack: true, stdin: true })
  })
  const answers = answersOf(stream)
  return {
    async ask(command) {
      if (!stream.writable) throw lost(command.type)
      stream.write(`${commandLine(command)}\n`)
      const answer = await answers.next()
      if (answer.done) throw lost(command.type)
      if (answer.value === unreachable) throw new KiwiError('RUNTIME_FAILED', 'the edge is not listening')
      return parseAnswer(answer.value, command.type)
    },
    async [Symbol.asyncDispose]() {
      stream.end()
      stream.destroy()
    },
  }
}

async function* answersOf(stream: Duplex): AsyncGenerator<string, void> {
  const frames = frameReader()
  let text = ''
  try {
    for await (const chunk of stream) {
      text += frames(chunk)
        .map((body) => Buffer.from(body).toString())
        .join('')
      for (let end = text.indexOf('\0'); end >= 0; end = text.indexOf('\0')) {
        const answer = text.slice(0, end)
        text = text.slice(end + 1)
        yield answer
      }
    }
  } catch {
    // A torn connection ends the answers; who waits for one is told so.
  }
}

function lost(command: EdgeCommand['type']): KiwiError {
  return new KiwiError('RUNTIME_FAILED', `the session with the edge ended during ${command}`, {
    effect: command === 'show' ? 'none' : 'unknown',
  })
}
