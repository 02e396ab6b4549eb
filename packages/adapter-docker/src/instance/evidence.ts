import type { Evidence, Target } from '@kiwi/core'
import type Docker from 'dockerode'
import type { ContainerInspectInfo } from 'dockerode'
import { attempt, statusOf } from '../errors.js'
import { reasonOf, shortId } from '../facts.js'
import { frameReader } from '../frames.js'
import { labels, ours } from '../names.js'
import { type LastExit, lastExit } from './exit.js'

const lines = 50

/** How the slot's instances, or the task, ended, and their last 50 lines of output. */
export async function evidence(docker: Docker, target: Target, slot: string): Promise<Evidence> {
  const list = (...own: string[]) =>
    docker.listContainers({ all: true, filters: { label: [...ours(target).label, ...own] } })
  return attempt(`collecting evidence of ${slot}`, 'none', async () => {
    const [instances, tasks] = await Promise.all([
      list(`${labels.role}=instance`, `${labels.slot}=${slot}`),
      list(`${labels.role}=task`, `${labels.task}=${slot}`),
    ])
    const found = await Promise.all([...instances, ...tasks].map(({ Id }) => ofInstance(docker, Id)))
    return { slot, instances: found.filter((one) => one !== undefined) }
  })
}

async function ofInstance(docker: Docker, id: string): Promise<Evidence['instances'][number] | undefined> {
  const container = docker.getContainer(id)
  try {
    const [instance, output] = await Promise.all([container.inspect(), lastOutput(container)])
    const { Running, Restarting } = instance.State
    const end = Running && !Restarting ? await lastExit(docker, instance) : endOf(instance)
    return { id: shortId(instance), ...end, lastOutput: output }
  } catch (thrown) {
    if (statusOf(thrown) === 404) return undefined
    throw thrown
  }
}

function endOf(instance: ContainerInspectInfo): LastExit {
  return { exitCode: instance.State.ExitCode, reason: reasonOf(instance) }
}

async function lastOutput(container: Docker.Container): Promise<string[]> {
  const bytes = await container.logs({ stdout: true, stderr: true, tail: lines, follow: false })
  const text = Buffer.concat(frameReader()(bytes)).toString()
  return text
    .replace(/\n$/, '')
    .split('\n')
    .filter((line, _, all) => all.length > 1 || line !== '')
}
