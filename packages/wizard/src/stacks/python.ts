import type { Files } from '../files.js'
import type { Choice, Generated, GenerateOptions, Sighting, Stack } from '../stack.js'
import { dockerignore, execForm, writer } from '../writer.js'
import { type Requirements, readRequirements } from './python/requirements.js'
import { type PythonStart, readPythonStart } from './python/start.js'
import { readPythonVersion } from './python/version.js'

/** What was seen of a Python application. */
export interface PythonFacts {
  readonly version: Choice<string>
  /** How requirements.txt is installed; undefined when there is none. */
  readonly requirements?: { readonly needsSources: boolean } | undefined
  readonly start: PythonStart
  /** The repository's own `.dockerignore`. */
  readonly ignore?: string | undefined
}

/** What is to be written for a Python application. Plain JSON. */
export interface PythonPlan {
  readonly version: 1
  readonly stack: 'python'
  readonly baseImage: Choice<string>
  readonly install?: Choice<'requirements-first' | 'sources-first'> | undefined
  readonly port: Choice<number>
  readonly start: Choice<readonly string[]>
  readonly ignore?: string | undefined
}

/** Python with pip. */
export const python: Stack<'python', PythonFacts, PythonPlan> = {
  name: 'python',
  lookedFor: 'requirements.txt, or main.py or app.py (Python)',
  look,
  plan,
  generate,
}

async function look(files: Files): Promise<Sighting<PythonFacts> | undefined> {
  const requirements = await readRequirements(files)
  const paths = await files.list()
  const foreign = ['pyproject.toml', 'Pipfile', 'environment.yml'].find((file) => paths.includes(file))
  const evidence = {
    file: requirements === undefined ? (foreign ?? 'main.py') : 'requirements.txt',
    rule: 'python/manifest',
  }
  if (requirements === undefined && foreign !== undefined) {
    const reason = `${foreign} without requirements.txt: the wizard installs with pip only.`
    return { kind: 'refusal', reason, evidence: [evidence] }
  }
  const start = await readPythonStart(files, requirements)
  if (start === undefined) return noStart(requirements)
  const facts: PythonFacts = {
    version: await readPythonVersion(files),
    requirements: requirements === undefined ? undefined : { needsSources: requirements.needsSources },
    start,
    ignore: await files.read('.dockerignore'),
  }
  const seen = requirements === undefined ? [start.evidence] : [evidence, start.evidence]
  return { kind: 'candidate', confidence: confidence(requirements, start), evidence: seen, facts }
}

function noStart(requirements: Requirements | undefined): Sighting<PythonFacts> | undefined {
  if (requirements === undefined) return undefined
  const reason = 'There is requirements.txt, but no Procfile, application object or main.py that says what to run.'
  return { kind: 'refusal', reason, evidence: [{ file: 'requirements.txt', rule: 'python/manifest' }] }
}

function confidence(requirements: Requirements | undefined, { evidence }: PythonStart): number {
  if (requirements === undefined) return 0.6
  return evidence.rule === 'python/usual-entry' ? 0.75 : 0.9
}

function plan({ version, requirements, start, ignore }: PythonFacts): PythonPlan {
  return {
    version: 1,
    stack: 'python',
    baseImage: { value: `python:${version.value}-slim`, reason: version.reason },
    install:
      requirements === undefined
        ? undefined
        : requirements.needsSources
          ? { value: 'sources-first', reason: 'requirements.txt names other files of the repository.' }
          : {
              value: 'requirements-first',
              reason: 'Copied before the sources, so that a change in these does not install again.',
            },
    port: { value: start.port, reason: start.why },
    start: { value: start.argv, reason: start.why },
    ignore,
  }
}

function generate(plan: PythonPlan, { baseImage }: GenerateOptions): Generated {
  const out = writer()
  out.add(
    `FROM ${baseImage ?? plan.baseImage.value}`,
    baseImage === undefined ? plan.baseImage.reason : 'The base image that was asked for.',
  )
  out.add('ENV PYTHONUNBUFFERED=1', 'Log lines appear at once.')
  out.add('ENV PYTHONDONTWRITEBYTECODE=1', 'The process may not write beside its sources.')
  out.add(`ENV PORT=${plan.port.value}`, 'For an application that asks where to listen.')
  out.add('WORKDIR /app', 'A directory of its own.')
  const install = 'RUN pip install --no-cache-dir -r requirements.txt'
  if (plan.install?.value === 'requirements-first') {
    out.add('COPY requirements.txt ./', plan.install.reason)
    out.add(install, 'What requirements.txt says; pip keeps no copies in the image.')
  }
  out.add(
    'COPY . .',
    plan.install?.value === 'sources-first' ? plan.install.reason : 'The sources, last, because they change most.',
  )
  if (plan.install?.value === 'sources-first')
    out.add(install, 'What requirements.txt says; pip keeps no copies in the image.')
  out.add(`EXPOSE ${plan.port.value}`, plan.port.reason)
  if (plan.port.value >= 1024)
    out.add('USER 1000:1000', 'Not root; a number needs no account in the image and lets Kubernetes check it.')
  out.add(`CMD ${execForm(plan.start.value)}`, plan.start.reason)
  return out.end(
    dockerignore(
      ['**/__pycache__', '**/*.py[cod]', '.venv', 'venv', '.pytest_cache', '.mypy_cache', '.tox'],
      plan.ignore,
    ),
  )
}
