import { KiwiError, type Publish } from '@kiwi/core'
import { type CheckKind, kindNames } from './config.js'

/** What the edge keeps and sees; the newest word on fence, slots and route. */
export interface EdgeState {
  readonly token: number
  /** Counts accepted writes: a command names the one it was decided on. */
  readonly seq: number
  /** The generation that the edge's container must have, and how that one publishes; a container of another generation is condemned. */
  readonly generation: number
  readonly publish: Publish | undefined
  readonly route: readonly string[]
  readonly lanes: readonly Lane[]
  readonly servers: readonly Server[]
  /** Requests and connections open where new ones do not go any more. */
  readonly draining: number
}

/** A slot's place: its backend and its addresses. */
export interface Lane {
  readonly number: number
  readonly slot: string
  /** Tells instances of this use of the lane from leftovers of an earlier one. */
  readonly generation: number
  readonly kind: CheckKind
  readonly port: number
  readonly path: string
  /** The numbers of the instances that are counted on, ascending. */
  readonly seats: readonly number[]
  readonly note: LaneNote
}

/** Of no meaning to the edge; kept there so that a slot is known before its first instance and at zero instances. */
export interface LaneNote {
  readonly release: string
  readonly digest: string
  /** Hash of how instances are made. */
  readonly spec: string
}

export interface Server {
  readonly lane: number
  readonly index: number
  readonly up: boolean
  /** HAProxy's word for the last check (`L7OK`, `L4CON`, `INI`). */
  readonly check: string
  readonly message: string
}

export type EdgeCommand =
  | { readonly type: 'show' }
  | { readonly type: 'claim'; readonly token: number }
  | (Write & { readonly type: 'publish'; readonly publish: Publish })
  | (Write & { readonly type: 'lane'; readonly lane: Omit<Lane, 'generation'> })
  | (Write & { readonly type: 'scale'; readonly slot: string; readonly seats: readonly number[] })
  | (Write & { readonly type: 'switch'; readonly from: readonly string[]; readonly to: readonly string[] })
  | (Write & { readonly type: 'drop'; readonly slot: string })
  | (Write & { readonly type: 'touch' })

interface Write {
  readonly token: number
  readonly seq: number
}

/** One line for HAProxy's command socket. Free text is percent-encoded, so nothing in it can end a word or a command. */
export function commandLine(command: EdgeCommand): string {
  return ['kiwi', command.type, ...commandWords(command)].join(' ')
}

function commandWords(command: EdgeCommand): (string | number)[] {
  switch (command.type) {
    case 'show':
      return []
    case 'claim':
      return [command.token, '-']
    case 'publish':
      return [command.token, command.seq, encoded(command.publish)]
    case 'lane': {
      const { number, slot, kind, port, path, seats, note } = command.lane
      const words = [number, slot, kind, port, encodeURIComponent(path), listed(seats), encoded(note)]
      return [command.token, command.seq, ...words]
    }
    case 'scale':
      return [command.token, command.seq, command.slot, listed(command.seats)]
    case 'switch':
      return [command.token, command.seq, listed(command.from.toSorted()), listed(command.to.toSorted())]
    case 'drop':
      return [command.token, command.seq, command.slot]
    case 'touch':
      return [command.token, command.seq]
  }
}

const encoded = (value: object): string => encodeURIComponent(JSON.stringify(value))
const listed = (words: readonly (string | number)[]): string => (words.length === 0 ? '-' : words.join(','))

/** Reads an answer. Throws `FENCED` or `CONFLICT` where the edge refused, `RUNTIME_FAILED` where it could not. */
export function parseAnswer(answer: string, command: EdgeCommand['type']): EdgeState {
  const [first = '', ...lines] = answer.trim().split('\n')
  if (lines.at(-1) !== 'end')
    throw new KiwiError('RUNTIME_FAILED', `the edge did not answer ${command}: ${first}`, {
      effect: command === 'show' ? 'none' : 'unknown',
    })
  const [word = '', ...rest] = first.split(' ')
  if (word === 'fenced') throw new KiwiError('FENCED', `the target was claimed with token ${rest[0]} since`)
  if (word === 'conflict') throw new KiwiError('CONFLICT', `the edge refused ${command}: ${rest.join(' ')}`)
  if (word !== 'ok') throw new KiwiError('RUNTIME_FAILED', `the edge could not ${command}: ${rest.join(' ')}`)
  return parseState(lines)
}

function parseState(lines: readonly string[]): EdgeState {
  const rows = lines.map((line) => line.split(' '))
  const row = (name: string): string[] => rows.find(([word]) => word === name)?.slice(1) ?? []
  const all = (name: string): string[][] => rows.filter(([word]) => word === name).map((words) => words.slice(1))
  const [generation, publish = '-'] = row('edge')
  return {
    token: Number(row('token')[0]),
    seq: Number(row('seq')[0]),
    generation: Number(generation),
    publish: publish === '-' ? undefined : decoded<Publish>(publish),
    route: row('route').filter((slot) => slot !== ''),
    lanes: all('lane').map(parseLane),
    servers: all('server').map(parseServer),
    draining: Number(row('draining')[0]),
  }
}

function parseLane([number, slot = '', generation, kind, port, path = '', seats = '-', note = '']: string[]): Lane {
  return {
    number: Number(number),
    slot,
    generation: Number(generation),
    kind: kindNames.find((name) => name === kind) ?? 'tcp',
    port: Number(port),
    path: decodeURIComponent(path),
    seats: seats === '-' ? [] : seats.split(',').map(Number),
    note: decoded<LaneNote>(note),
  }
}

function parseServer([lane, index, status, check = '', ...message]: string[]): Server {
  return { lane: Number(lane), index: Number(index), up: status === 'UP', check, message: message.join(' ').trim() }
}

/** The words are our own, written by `encoded`. */
const decoded = <T>(word: string): T => JSON.parse(decodeURIComponent(word)) as T
