import type { ServiceDefinition } from './service.js'

/** Nothing that can be left out. */
export const smallest: ServiceDefinition = {
  name: 'web',
  source: { git: '/srv/web.git' },
  image: { registry: 'main', repository: 'web' },
  environments: { production: { runtime: 'local' } },
}

/** Every key there is, beside those that exclude each other. */
export const everything: ServiceDefinition = {
  name: 'web-1',
  source: { git: 'https://git.example/team/web.git', token: { secret: 'GIT_TOKEN' }, submodules: true, lfs: true },
  build: {
    dockerfile: { mode: 'path', path: 'docker/Dockerfile.prod' },
    context: 'apps/web',
    args: { NODE_ENV: 'production', MOTTO: 'ship it\nnow' },
    secrets: { npmrc: { secret: 'NPMRC' } },
    contexts: { shared: 'packages/shared' },
    target: 'runtime',
    cache: { mode: 'registry', repository: 'library/web-cache' },
    platform: 'linux/arm64',
    baseImage: 'registry.example/base/node:24-slim',
  },
  image: { registry: 'registry.example:5000', repository: 'library/web', tag: 'v${BUILD_NUMBER}-${SHORT_SHA}' },
  triggers: [
    { on: 'push', branches: ['main', 'release/*'], paths: ['apps/web/**'], environment: 'staging' },
    { on: 'tag', tags: ['v*'], environment: 'production' },
    { on: 'schedule', cron: '0 3 * * MON-FRI', timeZone: 'Europe/Berlin', ref: 'main' },
  ],
  environments: {
    staging: { runtime: 'local' },
    production: {
      runtime: 'cluster-1',
      namespace: 'web-production',
      replicas: 3,
      resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '0.5', memory: '1G' } },
      env: { GREETING: 'hello', EMPTY: '', PASSWORD: { secret: 'web/password' } },
      port: 8080,
      publish: { protocol: 'http', address: '0.0.0.0', port: 80 },
      health: { type: 'http', path: '/healthz?deep=1', intervalMs: 1_000, timeoutMs: 500 },
      volumes: [
        { source: '/data/app', path: '/app/data', readOnly: true },
        { source: 'uploads', path: '/app/uploads' },
      ],
      entrypoint: ['/usr/bin/env', 'node'],
      command: ['server.js', ''],
      stopGraceMs: 5_000,
      strategy: 'blue-green',
      readyWithinMs: 90_000,
      tolerance: { restarts: 0, silenceMs: 30_000 },
      verify: { path: '/version', status: 200 },
      beforeSwitch: { command: ['npm', 'run', 'migrate'], withinMs: 60_000, schemaChange: true },
      approval: true,
      keepReleases: 20,
    },
  },
}
