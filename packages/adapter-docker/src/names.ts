import { KiwiError, type Target } from '@kiwi/core'

/** Labels of everything we make; what does not carry them is not ours and never touched. */
export const labels = {
  service: 'kiwi.service',
  environment: 'kiwi.environment',
  role: 'kiwi.role',
  slot: 'kiwi.slot',
  task: 'kiwi.task',
  release: 'kiwi.release',
  digest: 'kiwi.digest',
  token: 'kiwi.token',
  spec: 'kiwi.spec',
  lane: 'kiwi.lane',
  generation: 'kiwi.generation',
  index: 'kiwi.index',
  publish: 'kiwi.publish',
} as const

/** Name of the target's network and of the edge's volume, and the beginning of every container's name. */
export function targetName(target: Target): string {
  return `kiwi-${word(target.service)}-${word(target.environment)}`
}

export function edgeName(target: Target): string {
  return `${targetName(target)}-edge`
}

export function instanceName(target: Target, slot: string, index: number): string {
  return `${targetName(target)}-${word(slot)}-${index}`
}

export function taskName(target: Target, task: string): string {
  return `${targetName(target)}.task.${word(task)}`
}

export function targetLabels(target: Target): Record<string, string> {
  return { [labels.service]: target.service, [labels.environment]: target.environment }
}

/** Filter of a list call for everything of this target. */
export function ours(target: Target): { label: string[] } {
  return { label: Object.entries(targetLabels(target)).map(([name, value]) => `${name}=${value}`) }
}

/** Names become part of container names and of the edge's command lines. */
export function word(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(name)) return name
  throw new KiwiError('INPUT_INVALID', `the name ${JSON.stringify(name)} cannot be used with Docker`, {
    hint: 'Use up to 63 letters, digits, dots, dashes and underscores, beginning with a letter or digit.',
  })
}
