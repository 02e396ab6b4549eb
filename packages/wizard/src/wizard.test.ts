import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseDockerfile, stageGraph } from './dockerfile/index.js'
import { detect, directory, generate, memory, plan, UnsuitableBaseImageError } from './index.js'

type Tree = Readonly<Record<string, string>>

const packageJson = (value: object) => JSON.stringify(value, null, 2)

async function best(files: Tree) {
  const { candidates, refusals } = await detect(memory(files))
  const [candidate] = candidates
  if (candidate === undefined) throw new Error(`nothing recognised: ${JSON.stringify(refusals)}`)
  return candidate
}

/** Generates, and checks what holds for every Dockerfile we write. */
async function write(files: Tree, options?: { baseImage?: string }) {
  const stored = JSON.parse(JSON.stringify(plan(await best(files))))
  const generated = generate(stored, options)
  const dockerfile = parseDockerfile(generated.dockerfile)
  expect(dockerfile.problems).toEqual([])
  expect(generated.dockerfile).not.toContain('--mount')
  expect(generated.dockerfile).not.toContain('# syntax')
  const lines = generated.dockerfile.split('\n')
  const explained = generated.decisions.map(({ line }) => line)
  expect(explained).toEqual(lines.flatMap((text, index) => (text === '' ? [] : [index + 1])))
  expect(generated.decisions.every(({ reason }) => reason.endsWith('.'))).toBe(true)
  return { ...generated, stages: stageGraph(dockerfile).stages.map(({ stage }) => stage) }
}

const lines = (dockerfile: string) => dockerfile.trim().split('\n')

describe('Node.js', () => {
  const npm = {
    'package.json': packageJson({
      scripts: { start: 'node server.js' },
      dependencies: { express: '^5' },
      engines: { node: '>=20 <23' },
    }),
    'package-lock.json': '{}',
    'server.js': 'const port = process.env.PORT || 8080\napp.listen(port)',
  }

  it('installs what the lock file says, without development dependencies, before it copies the sources', async () => {
    expect(lines((await write(npm)).dockerfile)).toEqual([
      'FROM node:22-slim',
      'ENV NODE_ENV=production',
      'WORKDIR /app',
      'COPY package.json package-lock.json ./',
      'RUN npm ci --omit=dev',
      'COPY . .',
      'EXPOSE 8080',
      'USER 1000:1000',
      'CMD ["node", "server.js"]',
    ])
  })

  it('says where it saw what', async () => {
    const { confidence, evidence } = await best(npm)
    expect(confidence).toBeGreaterThan(0.9)
    expect(evidence).toContainEqual({ file: 'package.json', line: 3, rule: 'node/start-script' })
    expect(evidence).toContainEqual({ file: 'server.js', line: 1, rule: 'node/port-from-environment' })
    const { decisions } = await write(npm)
    expect(decisions).toContainEqual({ line: 7, reason: 'server.js:1 says so.' })
  })

  it('builds in a first stage, and leaves development dependencies behind', async () => {
    const { dockerfile, stages } = await write({
      'package.json': packageJson({
        packageManager: 'pnpm@10.2.1',
        scripts: { build: 'tsc', start: 'node dist/server.js' },
        dependencies: { fastify: '5' },
        devDependencies: { typescript: '5' },
      }),
      'pnpm-lock.yaml': "lockfileVersion: '9.0'\n",
      'src/server.ts': 'app.listen({ port: 3001 })',
    })
    expect(stages.map(({ name }) => name)).toEqual(['build', undefined])
    expect(lines(dockerfile)).toEqual([
      'FROM node:24-slim AS build',
      'WORKDIR /app',
      'RUN npm install --global --force pnpm@10.2.1',
      'COPY package.json pnpm-lock.yaml ./',
      'RUN pnpm install --frozen-lockfile',
      'COPY . .',
      'RUN pnpm run build',
      'RUN CI=true pnpm prune --prod',
      '',
      'FROM node:24-slim',
      'ENV NODE_ENV=production',
      'WORKDIR /app',
      'COPY --from=build /app ./',
      'EXPOSE 3001',
      'USER 1000:1000',
      'CMD ["node", "dist/server.js"]',
    ])
  })

  it('uses Yarn 1 where its lock file is, and the pnpm that reads an older one', async () => {
    const dependent = packageJson({ main: 'server.js', dependencies: { a: '1' } })
    const yarn = await write({ 'package.json': dependent, 'yarn.lock': '# yarn lockfile v1\n', 'server.js': '' })
    expect(yarn.dockerfile).toContain('RUN yarn install --frozen-lockfile --production\n')
    expect(yarn.dockerfile).toContain('yarn@1.22.22')
    const pnpm = await write({ 'package.json': dependent, 'pnpm-lock.yaml': 'lockfileVersion: 5.4\n', 'server.js': '' })
    expect(pnpm.dockerfile).toContain('pnpm@7\n')
  })

  it('runs nothing when there is nothing to install, and takes the base image it is given for every stage', async () => {
    const bare = { 'package.json': packageJson({ scripts: { start: 'node server.js' } }), 'server.js': '' }
    const { dockerfile } = await write(bare, { baseImage: 'embedded/node-of-this-machine' })
    expect(lines(dockerfile)[0]).toBe('FROM embedded/node-of-this-machine')
    expect(dockerfile).not.toMatch(/^RUN|^USER [a-z]/m)
    expect(dockerfile).toContain('ENV PORT=3000\n')
    expect(dockerfile).toContain('EXPOSE 3000\n')
    const built = {
      ...bare,
      'package.json': packageJson({ scripts: { build: 'node build.js', start: 'node server.js' } }),
    }
    const { stages } = await write(built, { baseImage: 'own/node' })
    expect(stages.map(({ base }) => base)).toEqual(['own/node', 'own/node'])
    expect(stages[0]?.instructions.map(({ text }) => text)).toEqual(['WORKDIR /app', 'COPY . .', 'RUN npm run build'])
  })

  it('copies the sources first where an install needs them', async () => {
    const hooked = packageJson({
      scripts: { start: 'node a.js', postinstall: 'patch-package' },
      dependencies: { a: '1' },
    })
    const { dockerfile } = await write({ 'package.json': hooked, 'package-lock.json': '{}', 'a.js': '' })
    expect(dockerfile).toContain('COPY . .\nRUN npm ci --omit=dev\n')
    const prepared = packageJson({ scripts: { start: 'node a.js', prepare: 'husky' }, devDependencies: { husky: '9' } })
    const { stages } = await write({ 'package.json': prepared, 'package-lock.json': '{}', 'a.js': '' })
    expect(stages[0]?.instructions.map(({ text }) => text)).toEqual([
      'WORKDIR /app',
      'COPY . .',
      'RUN npm ci',
      'RUN npm prune --omit=dev',
    ])
  })

  it.each([
    ['node --env-file=.env --watch server.js --port 4000', '["node", "server.js", "--port", "4000"]'],
    ['nodemon --watch src server.js', '["node", "server.js"]'],
    ['cross-env MODE="a b" node "my server.js"', '["node", "my server.js"]'],
    ['next start', '["node_modules/.bin/next", "start"]'],
    ['npm run serve', '["node", "serve.js"]'],
    ['npm run migrate && node server.js', '["npm", "start"]'],
    ['npm run hooked', '["npm", "start"]'],
  ])('starts %j with %s', async (start, argv) => {
    const scripts = { start, serve: 'node serve.js', hooked: 'node x.js', prehooked: 'true' }
    const { dockerfile } = await write({
      'package.json': packageJson({ scripts, dependencies: { next: '1' } }),
      'server.js': '',
    })
    expect(lines(dockerfile).at(-1)).toBe(`CMD ${argv}`)
    if (start.includes('MODE')) expect(dockerfile).toContain('ENV MODE="a b"\n')
    if (start.includes('4000')) expect(dockerfile).toContain('EXPOSE 4000\n')
  })

  it('keeps development dependencies when the start command is one', async () => {
    const value = { scripts: { start: 'tsx server.ts', build: 'true' }, devDependencies: { tsx: '4' } }
    const { dockerfile } = await write({ 'package.json': packageJson(value), 'package-lock.json': '{}' })
    expect(dockerfile).toContain('CMD ["node_modules/.bin/tsx", "server.ts"]')
    expect(dockerfile).not.toContain('prune')
  })

  it.each([
    [{ '.nvmrc': 'v22.11.0\n' }, undefined, 22],
    [{ '.nvmrc': 'lts/jod' }, undefined, 22],
    [{ '.nvmrc': '18' }, '>=20', 24],
    [{ '.node-version': '20.1.0' }, '>=18', 20],
    [{}, '^20.10.0 || ^22', 22],
    [{}, '18.x', 18],
    [{}, '>=18 <21', 20],
    [{}, '18 - 20', 20],
    [{}, '<=20', 20],
    [{}, '>24', 26],
    [{}, 'nonsense', 24],
  ])('with %j and engines %j it takes Node.js %i', async (files, range, major) => {
    const value = { main: 'server.js', ...(range === undefined ? {} : { engines: { node: range } }) }
    const { stages } = await write({ 'package.json': packageJson(value), 'server.js': '', ...files })
    expect(stages[0]?.base).toBe(`node:${major}-slim`)
  })

  it.each([
    [{ 'package.json': '{' }, 'not valid JSON'],
    [{ 'package.json': '{"devDependencies":{"prettier":"3"}}' }, 'no start script'],
    [
      { 'package.json': '{"packageManager":"bun@1.1.0","main":"a.js"}', 'a.js': '' },
      'package.json:1 asks for a package manager',
    ],
    [{ 'package.json': '{"main":"a.js"}', 'a.js': '', 'yarn.lock': '# x\n__metadata:\n' }, 'yarn.lock:2'],
    [{ 'package.json': '{"main":"a.js"}', 'a.js': '', 'bun.lock': '' }, 'bun.lock'],
  ])('refuses %j, with the reason', async (files, reason) => {
    const { candidates, refusals } = await detect(memory(files))
    expect(candidates).toEqual([])
    expect(refusals).toMatchObject([{ stack: 'node', reason: expect.stringContaining(reason) }])
  })

  it('writes a .dockerignore in which the repository has the last word', async () => {
    const { dockerignore } = await write({ ...npm, '.dockerignore': '!.git\nsecret\n' })
    const patterns = dockerignore.trim().split('\n')
    expect(patterns).toEqual(expect.arrayContaining(['.git', '**/node_modules', '**/.env']))
    expect(patterns.slice(-2)).toEqual(['!.git', 'secret'])
  })

  it('cannot be made to write an instruction by what a package.json says', async () => {
    const value = {
      scripts: { start: 'X="a\\nRUN evil" node "b\\nRUN evil.js"' },
      packageManager: 'npm@1.0.0\nRUN evil',
    }
    const { dockerfile } = await write({ 'package.json': packageJson(value).replaceAll('\\\\n', '\\n') })
    expect(dockerfile).not.toMatch(/^RUN/m)
  })
})

describe('Python', () => {
  it('serves an ASGI application with uvicorn', async () => {
    const { dockerfile } = await write({
      'requirements.txt': 'fastapi==0.115 # web\nuvicorn[standard]>=0.30\n',
      'app/api.py': 'from fastapi import FastAPI\n\napplication = FastAPI()\n',
      'pyproject.toml': '[project]\nrequires-python = ">=3.10,<3.13"\n',
    })
    expect(lines(dockerfile)).toEqual([
      'FROM python:3.12-slim',
      'ENV PYTHONUNBUFFERED=1',
      'ENV PYTHONDONTWRITEBYTECODE=1',
      'ENV PORT=8000',
      'WORKDIR /app',
      'COPY requirements.txt ./',
      'RUN pip install --no-cache-dir -r requirements.txt',
      'COPY . .',
      'EXPOSE 8000',
      'USER 1000:1000',
      'CMD ["uvicorn", "app.api:application", "--host", "0.0.0.0", "--port", "8000"]',
    ])
  })

  it.each([
    [
      { 'requirements.txt': 'Flask\ngunicorn', 'web.py': 'app = Flask(__name__)' },
      '["gunicorn", "--bind", "0.0.0.0:8000", "web:app"]',
    ],
    [
      { 'requirements.txt': 'flask', 'app.py': 'app = Flask(__name__)' },
      '["flask", "--app", "app:app", "run", "--host=0.0.0.0", "--port=8000"]',
    ],
    [
      { 'requirements.txt': 'Django\ngunicorn', 'manage.py': '', 'site_/wsgi.py': '' },
      '["gunicorn", "--bind", "0.0.0.0:8000", "site_.wsgi:application"]',
    ],
    [
      { 'requirements.txt': 'x', Procfile: 'web: gunicorn a:b --bind :$PORT' },
      '["sh", "-c", "exec gunicorn a:b --bind :$PORT"]',
    ],
    [{ 'requirements.txt': 'flask-admin-lookalike', 'app.py': 'app = Flask(__name__)' }, '["python", "app.py"]'],
    [{ 'main.py': 'port = 9000' }, '["python", "main.py"]'],
  ])('starts %j with %s', async (files, argv) => {
    expect(lines((await write(files)).dockerfile).at(-1)).toBe(`CMD ${argv}`)
  })

  it('reads the version that is pinned, the port of a script, and copies first what an install needs', async () => {
    const { dockerfile, stages } = await write({
      'requirements.txt': '-r requirements/base.txt\n',
      'main.py': "port = int(os.environ.get('PORT', 5001))",
      '.python-version': '3.11.4\n',
    })
    expect(stages[0]?.base).toBe('python:3.11-slim')
    expect(dockerfile).toContain('COPY . .\nRUN pip install --no-cache-dir -r requirements.txt\nEXPOSE 5001\n')
  })

  it('refuses what pip does not install', async () => {
    const { candidates, refusals } = await detect(memory({ 'pyproject.toml': '', 'main.py': '' }))
    expect(candidates).toEqual([])
    expect(refusals[0]?.reason).toContain('pyproject.toml without requirements.txt')
  })
})

describe('a static site', () => {
  it('is handed out by nginx', async () => {
    const { dockerfile } = await write({ 'public/index.html': '', 'README.md': '' })
    expect(lines(dockerfile)).toEqual(['FROM nginx:stable', 'COPY public /usr/share/nginx/html', 'EXPOSE 80'])
  })

  it('takes another web server, and no image that is none', async () => {
    const files = { 'index.html': '' }
    const { dockerfile } = await write(files, { baseImage: 'registry:5000/nginxinc/nginx-unprivileged:1' })
    expect(dockerfile).toContain('COPY . /usr/share/nginx/html\nEXPOSE 8080\n')
    await expect(write(files, { baseImage: 'embedded/node-of-this-machine' })).rejects.toThrow(UnsuitableBaseImageError)
  })
})

describe('detect', () => {
  it('says what it looked for when it recognises nothing', async () => {
    const { candidates, refusals, lookedFor } = await detect(memory({ 'README.md': '' }))
    expect({ candidates, refusals }).toEqual({ candidates: [], refusals: [] })
    expect(lookedFor).toHaveLength(3)
  })

  it('ranks every stack it sees', async () => {
    const files = {
      'package.json': '{"scripts":{"start":"node a.js"}}',
      'requirements.txt': 'x',
      'main.py': '',
      'a.js': '',
    }
    const { candidates } = await detect(memory(files))
    expect(candidates.map(({ stack }) => stack)).toEqual(['node', 'python'])
    const missing = { ...files, 'package.json': '{"scripts":{"start":"node gone.js"}}' }
    expect((await detect(memory(missing))).candidates.map(({ stack }) => stack)).toEqual(['python', 'node'])
  })

  it('reads a directory, and nothing outside it', async () => {
    const root = await mkdtemp(join(tmpdir(), 'wizard-'))
    onTestFinished(() => rm(root, { recursive: true }))
    await mkdir(join(root, 'app/node_modules/x'), { recursive: true })
    await writeFile(join(root, 'secret.json'), 'secret')
    await writeFile(join(root, 'app/server.js'), 'listen')
    await writeFile(join(root, 'app/node_modules/x/index.js'), '')
    await symlink(join(root, 'secret.json'), join(root, 'app/package.json'))
    const files = directory(join(root, 'app'))
    expect(await files.list()).toEqual(['server.js'])
    expect(await files.read('server.js')).toBe('listen')
    expect(await files.read('package.json')).toBeUndefined()
    expect(await files.read('../secret.json')).toBeUndefined()
    expect(await files.read('missing')).toBeUndefined()
    expect(await files.read('node_modules')).toBeUndefined()
  })
})
