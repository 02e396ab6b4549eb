import { DockerfileParser } from 'dockerfile-ast'
import { describe, expect, it } from 'vitest'
import { parseDockerfile } from './index.js'

/** Keyword, first line, last line; as dockerfile-ast sees them, which shares no code with our reader. */
function independent(text: string): string[] {
  const all = DockerfileParser.parse(text).getInstructions()
  return all.map((one) => `${one.getKeyword()} ${one.getRange().start.line + 1}-${one.getRange().end.line + 1}`)
}

function ours(text: string): string[] {
  return parseDockerfile(text).stages.flatMap(({ line, instructions }) => [
    `FROM ${line}-${line}`,
    ...instructions.map((one) => `${one.keyword} ${one.line}-${one.endLine}`),
  ])
}

const ordinary = `# syntax=docker/dockerfile:1
FROM --platform=$BUILDPLATFORM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci \\
  # the lock file is enough
  && npm cache verify
COPY . .
RUN <<EOF
set -e
npm run build
EOF
FROM nginx:stable
ENV NAME="a value" OTHER=x
LABEL org.opencontainers.image.title='web'
COPY --from=build --chown=101:101 /app/dist /usr/share/nginx/html
COPY <<robots.txt /usr/share/nginx/html/
User-agent: *
robots.txt
EXPOSE 80 443/tcp
HEALTHCHECK --interval=5s CMD ["curl", "-f", "http://localhost"]
ONBUILD RUN true
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
`

describe('against dockerfile-ast', () => {
  it('cuts an ordinary Dockerfile at the same lines', () => {
    expect(ours(ordinary)).toEqual(independent(ordinary))
  })

  it.each([
    'FROM a\nRUN b\\\\\nUSER c',
    'FROM a\nRUN b 3<<E\nUSER d\nE\nUSER c',
    'FROM a\nRUN b << E\nUSER d\nE\nUSER c',
  ])('cuts %j where builders cut it, which dockerfile-ast does not', (text) => {
    expect(ours(text).map((line) => line.split(' ')[0])).toEqual(['FROM', 'RUN', 'USER'])
    expect(independent(text)).not.toEqual(ours(text))
  })
})
