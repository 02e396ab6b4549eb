import type { Files } from '../files.js'
import {
  type Choice,
  type Evidence,
  type Generated,
  type GenerateOptions,
  type Sighting,
  type Stack,
  UnsuitableBaseImageError,
} from '../stack.js'
import { dockerignore, writer } from '../writer.js'

/** What was seen of a static site. */
export interface StaticFacts {
  /** The directory with index.html, `.` for the root. */
  readonly root: Choice<string>
  readonly ignore?: string | undefined
}

/** What is to be written for a static site. Plain JSON. */
export interface StaticPlan {
  readonly version: 1
  readonly stack: 'static'
  readonly baseImage: Choice<string>
  readonly root: Choice<string>
  readonly port: Choice<number>
  readonly ignore?: string | undefined
}

/** Files that a web server hands out as they are. */
export const staticSite: Stack<'static', StaticFacts, StaticPlan> = {
  name: 'static',
  lookedFor: 'index.html without package.json (static site)',
  look,
  plan,
  generate,
}

const roots = ['.', 'public', 'dist', 'site', 'www', 'docs']
/** Where each web server's image looks for files, by the last part of its name. */
const documentRoots: readonly (readonly [RegExp, string])[] = [
  [/nginx/, '/usr/share/nginx/html'],
  [/httpd|apache/, '/usr/local/apache2/htdocs'],
  [/caddy/, '/usr/share/caddy'],
]

async function look(files: Files): Promise<Sighting<StaticFacts> | undefined> {
  const paths = await files.list()
  const root = paths.includes('package.json') ? undefined : roots.find((name) => paths.includes(indexIn(name)))
  if (root === undefined) return undefined
  const evidence: Evidence = { file: indexIn(root), rule: 'static/index' }
  const facts = {
    root: { value: root, reason: `${evidence.file} is there.` },
    ignore: await files.read('.dockerignore'),
  }
  return { kind: 'candidate', confidence: root === '.' || root === 'public' ? 0.7 : 0.5, evidence: [evidence], facts }
}

function indexIn(root: string): string {
  return root === '.' ? 'index.html' : `${root}/index.html`
}

function plan({ root, ignore }: StaticFacts): StaticPlan {
  return {
    version: 1,
    stack: 'static',
    baseImage: { value: 'nginx:stable', reason: 'A web server that needs no configuration to hand out files.' },
    root,
    port: { value: 80, reason: 'Where the web server of the image listens.' },
    ignore,
  }
}

function generate(plan: StaticPlan, { baseImage }: GenerateOptions): Generated {
  const image = baseImage ?? plan.baseImage.value
  const name =
    image
      .replace(/@.*$/, '')
      .replace(/:[^:/]*$/, '')
      .split('/')
      .at(-1) ?? ''
  const documentRoot = documentRoots.find(([pattern]) => pattern.test(name))?.[1]
  if (documentRoot === undefined) {
    const hint = 'Leave the base image out to get nginx:stable, or give an nginx, httpd or caddy image.'
    throw new UnsuitableBaseImageError(
      `${image} is not known to hand out files, which is all a static site needs`,
      hint,
    )
  }
  // The unprivileged nginx image is nginx on another port.
  const port = name.includes('unprivileged') ? 8080 : plan.port.value
  const out = writer()
  out.add(`FROM ${image}`, baseImage === undefined ? plan.baseImage.reason : 'The base image that was asked for.')
  out.add(`COPY ${plan.root.value} ${documentRoot}`, plan.root.reason)
  out.add(`EXPOSE ${port}`, plan.port.reason)
  return out.end(dockerignore([], plan.ignore))
}
