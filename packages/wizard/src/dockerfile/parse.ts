import { DockerfileSyntaxError } from './errors.js'
import { fail } from './fail.js'
import { readFlags } from './flags.js'
import { typeInstruction } from './instruction.js'
import { type RawInstruction, readInstructions } from './reader.js'
import type { ArgInstruction, Dockerfile, Instruction, Problem, Stage } from './types.js'
import { splitList } from './words.js'

interface OpenStage extends Stage {
  readonly instructions: Instruction[]
}

/** Reads a Dockerfile. Throws `DockerfileSyntaxError` for text that no builder would take. */
export function parseDockerfile(text: string): Dockerfile {
  const { directives, instructions, problems } = readInstructions(text)
  const globalArgs: ArgInstruction[] = []
  const stages: OpenStage[] = []
  const found: Problem[] = [...problems]
  for (const raw of instructions) {
    if (raw.keyword === 'FROM') {
      const stage = parseFrom(raw, stages.length)
      found.push(...duplicateName(stage, stages))
      stages.push(stage)
      continue
    }
    const instruction = typeInstruction(raw)
    found.push(...problemsOf(instruction, raw))
    const stage = stages.at(-1)
    if (stage !== undefined) stage.instructions.push(instruction)
    else if (instruction.keyword === 'ARG') globalArgs.push(instruction)
    else fail(raw, `${raw.keyword} before the first FROM`, 'Only ARG may come before FROM.')
  }
  if (stages.length === 0) throw missingFrom(instructions)
  return {
    escape: directives.escape,
    directives: { syntax: directives.values.get('syntax'), check: directives.values.get('check') },
    globalArgs,
    stages,
    problems: found.sort((first, second) => first.line - second.line),
  }
}

/** Reads one instruction on its own, such as an `ONBUILD` trigger kept in an image. */
export function parseInstruction(text: string): Instruction {
  const [raw, ...more] = readInstructions(text).instructions
  if (raw !== undefined && more.length === 0) return typeInstruction(raw)
  const hint = 'Give exactly one instruction.'
  throw new DockerfileSyntaxError(`${raw === undefined ? 'no' : 'more than one'} instruction`, {
    line: 1,
    column: 1,
    hint,
  })
}

function parseFrom(raw: RawInstruction, index: number): OpenStage {
  const { platform } = readFlags(raw, { platform: 'text' })
  const [base, as, name, ...more] = splitList(raw.rest)
  const { line, text } = raw
  const hint = 'Write FROM IMAGE or FROM IMAGE AS NAME.'
  if (base === undefined) return fail(raw, 'FROM needs an image', hint)
  if (as === undefined) return { index, base, platform, instructions: [], line, text }
  if (as.toLowerCase() !== 'as' || name === undefined || more.length > 0) {
    return fail(raw, 'FROM takes an image, or an image, AS and a name', hint, as)
  }
  if (!/^[a-z][a-z0-9-_.]*$/.test(name.toLowerCase())) {
    const rule = 'A stage name starts with a letter and has letters, digits, - _ and . only.'
    return fail(raw, `invalid stage name ${JSON.stringify(name)}`, rule, name)
  }
  return { index, name: name.toLowerCase(), base, platform, instructions: [], line, text }
}

function duplicateName({ name, line }: Stage, stages: readonly Stage[]): Problem[] {
  const earlier = name === undefined ? undefined : stages.find((stage) => stage.name === name)
  if (earlier === undefined) return []
  return [{ line, rule: 'duplicate-stage-name', message: `Stage ${name} is also on line ${earlier.line}.` }]
}

function problemsOf(instruction: Instruction, raw: RawInstruction): Problem[] {
  const { line, keyword } = instruction
  if (keyword === 'MAINTAINER') {
    return [
      {
        line,
        rule: 'maintainer-deprecated',
        message: 'MAINTAINER is deprecated; use LABEL org.opencontainers.image.authors.',
      },
    ]
  }
  if (
    (keyword === 'ENV' || keyword === 'LABEL') &&
    !instruction.pairs.every(({ name, value }) => raw.rest.includes(`${name}=${value}`))
  ) {
    return [
      { line, rule: 'legacy-key-value', message: `Write ${keyword} NAME=VALUE; the form with a space is deprecated.` },
    ]
  }
  if (keyword !== 'RUN' && keyword !== 'CMD' && keyword !== 'ENTRYPOINT') return []
  const { command } = instruction
  if (command.form === 'exec') return []
  if (command.command === '') return [{ line, rule: 'empty-command', message: `${keyword} has no command.` }]
  if (!/^\[\s*["']/.test(command.command)) return []
  return [
    {
      line,
      rule: 'json-like-shell-form',
      message: `${keyword} is no valid JSON array, so a shell will run it as it stands.`,
    },
  ]
}

function missingFrom(instructions: readonly RawInstruction[]): DockerfileSyntaxError {
  const line = instructions.at(-1)?.endLine ?? 1
  const message = instructions.length === 0 ? 'the Dockerfile has no instructions' : 'the Dockerfile has no FROM'
  return new DockerfileSyntaxError(message, { line, column: 1, hint: 'Start with FROM and the image to build on.' })
}
