import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const manifest = {
  name: 'shop',
  version: '1.0.0',
  private: true,
  type: 'module',
  scripts: { start: 'node server.js' },
  dependencies: { express: '^5.1.0' },
}

/**
 * A Node app with dependencies, as one finds them: Express, some source files, a Dockerfile that installs before it copies.
 * @param {string} directory
 * @param {string} base image
 */
export function writeApp(directory, base) {
  mkdirSync(join(directory, 'src'), { recursive: true })
  writeFileSync(join(directory, 'package.json'), JSON.stringify(manifest, undefined, 2))
  writeFileSync(join(directory, '.dockerignore'), 'node_modules\n')
  for (let index = 0; index < 100; index += 1) {
    writeFileSync(join(directory, 'src', `module-${index}.js`), `export const value${index} = ${index}\n`.repeat(40))
  }
  writeFileSync(
    join(directory, 'Dockerfile'),
    `FROM ${base}\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci --omit=dev\nCOPY . .\nCMD ["node", "server.js"]\n`,
  )
  changeLine(directory, 'first')
  execFileSync('npm', ['install', '--package-lock-only', '--silent'], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

/**
 * @param {string} directory
 * @param {string} text
 */
export function changeLine(directory, text) {
  writeFileSync(
    join(directory, 'server.js'),
    `import express from 'express'\nconst app = express()\napp.get('/', (_request, response) => response.send('${text}'))\napp.listen(3000)\n`,
  )
}
