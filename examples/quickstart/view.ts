import { styleText } from 'node:util'
import type { KiwiEvent, Run, Stage } from '@kiwi/core'

/** Shows a run while it goes on: a live last line on a terminal, plain lines elsewhere. */
export async function show(run: Run, to: NodeJS.WriteStream): Promise<void> {
  const view = to.isTTY ? terminal(to) : plain(to)
  const ticking = setInterval(() => view.tick(), 100)
  try {
    for await (const event of run) view.event(event)
  } finally {
    clearInterval(ticking)
    view.end()
  }
}

interface View {
  event(event: KiwiEvent): void
  tick(): void
  end(): void
}

/** What goes on now: the line that is drawn again and again. */
interface Now {
  stage: Stage
  since: number
  usualMs: number | undefined
  doing: string
}

function terminal(to: NodeJS.WriteStream): View {
  let now: Now | undefined
  const clear = () => to.write('\r\u001b[2K')
  const draw = () => {
    if (!now) return
    const width = to.columns ?? 80
    const line = `  ${styleText('cyan', '●')} ${now.stage.padEnd(8)} ${now.doing}`
    const time = `${seconds(Date.now() - now.since)}${estimate(now)}`
    to.write(`\r\u001b[2K${line.slice(0, width - time.length + 8)} ${styleText('dim', time)}`)
  }
  return {
    event(event) {
      const told = tell(event)
      if (told) {
        clear()
        to.write(`${told}\n`)
      }
      now = next(now, event)
      draw()
    },
    tick: draw,
    end: clear,
  }
}

function plain(to: NodeJS.WriteStream): View {
  return {
    event(event) {
      const told = tell(event) ?? (event.type === 'step-started' ? `      ${stepText(event)}` : undefined)
      if (told) to.write(`${told}\n`)
    },
    tick() {},
    end() {},
  }
}

/** The state of the live line after an event. */
function next(now: Now | undefined, event: KiwiEvent): Now | undefined {
  if (event.type === 'stage-started') return { stage: event.stage, since: event.at, usualMs: event.usualMs, doing: '' }
  if (event.type === 'stage-ended' || !now) return undefined
  if (event.type === 'step-started') return { ...now, doing: stepText(event) }
  if (event.type === 'log') return event.text.trim() === '' ? now : { ...now, doing: event.text }
  if (event.type === 'rollout')
    return {
      ...now,
      doing: `${event.ready}/${event.total} ready, ${event.phase === 'waiting' ? 'waiting until ' : ''}${event.what}`,
    }
  if (event.type === 'progress')
    return {
      ...now,
      doing: `${event.digest.slice(7, 19)} ${bytes(event.bytes)}${event.totalBytes ? ` of ${bytes(event.totalBytes)}` : ''}`,
    }
  return now
}

/** A line worth keeping, or nothing. */
function tell(event: KiwiEvent): string | undefined {
  switch (event.type) {
    case 'source-resolved':
      return note(`${event.ref} is ${event.commit.slice(0, 7)}${event.subject ? `, “${event.subject}”` : ''}`)
    case 'dockerfile-chosen':
      return note(
        event.from === 'wizard'
          ? `no Dockerfile: the wizard wrote one of ${event.text.trim().split('\n').length} lines`
          : `Dockerfile: ${event.path}`,
      )
    case 'choice':
      return note(`${event.what}: ${event.value} (${event.because})`)
    case 'image-built':
      return note(
        `image ${event.digest.slice(0, 19)}, ${bytes(event.sizeBytes)} in ${event.layers} layers, ${event.steps.cached} of ${event.steps.total} steps from the cache`,
      )
    case 'image-pushed':
      return note(`${event.image.registry}/${event.image.repository}:${event.image.tag}`)
    case 'route':
      return note(
        `traffic moved ${event.from.length > 0 ? `from ${event.from.join(', ')} ` : ''}to ${event.to.join(', ')}`,
      )
    case 'evidence-kept':
      return event.lines.map((line) => note(styleText('yellow', line))).join('\n')
    case 'stage-ended':
      return event.error
        ? `  ${styleText('red', '✗')} ${event.stage.padEnd(8)} ${event.error.code}: ${event.error.message}`
        : `  ${styleText('green', '✓')} ${event.stage.padEnd(8)} ${styleText('dim', seconds(event.durationMs))}`
    default:
      return undefined
  }
}

function note(text: string): string {
  return `      ${styleText('dim', text)}`
}

function stepText({ index, total, text }: Extract<KiwiEvent, { type: 'step-started' }>): string {
  return `[${index + 1}/${total}] ${text.split('\n', 1)[0]}`
}

function estimate({ since, usualMs }: Now): string {
  if (usualMs === undefined) return ''
  const left = usualMs - (Date.now() - since)
  return left > 0 ? `, about ${seconds(left)} left` : ', longer than usual'
}

export function seconds(milliseconds: number): string {
  return milliseconds < 10_000 ? `${(milliseconds / 1_000).toFixed(1)} s` : `${Math.round(milliseconds / 1_000)} s`
}

export function bytes(count: number): string {
  return count < 1_000_000 ? `${Math.ceil(count / 1_000)} kB` : `${(count / 1_000_000).toFixed(1)} MB`
}
