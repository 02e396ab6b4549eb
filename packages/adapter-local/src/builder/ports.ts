import { DockerfileSyntaxError } from '@kiwi/wizard/dockerfile'

const most = 65_535

/** `8000-8002/udp` is three ports; without a protocol it is tcp. Throws where a number, a range or a protocol is none. */
export function portsOf(word: string, line: number): string[] {
  const [, first = '', last = first, protocol = 'tcp'] =
    /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/.exec(word.toLowerCase()) ?? []
  const [from, to] = [Number(first), Number(last)]
  if (first === '' || from > to || to > most) throw noPort(word, line)
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${protocol}`)
}

function noPort(word: string, line: number): DockerfileSyntaxError {
  return new DockerfileSyntaxError(`EXPOSE ${word}: no port or range of ports`, {
    line,
    column: 1,
    hint: `Write 8080, 8080/udp or 8000-8010: up to ${most}, with tcp, udp or sctp.`,
  })
}
