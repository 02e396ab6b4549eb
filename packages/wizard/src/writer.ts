import type { Generated } from './stack.js'

export interface Writer {
  /** Adds one line; `reason` says why it is there. */
  add(line: string, reason: string): void
  /** Adds an empty line. */
  gap(): void
  end(dockerignore: string): Generated
}

/** Collects a Dockerfile line by line, each with its reason. */
export function writer(): Writer {
  const lines: string[] = []
  const decisions: { line: number; reason: string }[] = []
  return {
    add(line, reason) {
      lines.push(line)
      decisions.push({ line: lines.length, reason })
    },
    gap: () => void lines.push(''),
    end: (dockerignore) => ({ dockerfile: `${lines.join('\n')}\n`, dockerignore, decisions }),
  }
}

/** Exec form: `["node", "server.js"]`. */
export function execForm(argv: readonly string[]): string {
  return `[${argv.map((word) => JSON.stringify(word)).join(', ')}]`
}

/** `NAME="value"`, so that the builder reads back exactly the value. */
export function assignment(name: string, value: string): string {
  return /^[\w./:@-]*$/.test(value) ? `${name}=${value}` : `${name}="${value.replace(/[\\"$]/g, '\\$&')}"`
}

const always = [
  '.git',
  '.gitignore',
  '.github',
  '.gitlab-ci.yml',
  '.idea',
  '.vscode',
  '**/.DS_Store',
  '**/.env',
  '**/.env.local',
  '**/.env.*.local',
  '**/*.log',
  'Dockerfile*',
  '.dockerignore',
  'compose*.y*ml',
  'docker-compose*.y*ml',
]

/** Our patterns first: what the repository's own `.dockerignore` says comes later and so wins. */
export function dockerignore(own: readonly string[], existing: string | undefined): string {
  return `${[...always, ...own, ...(existing === undefined ? [] : [existing.trim()])].join('\n')}\n`
}
