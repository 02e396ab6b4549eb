// Builds the campaign's Dockerfile with its state in the folder given; prints the image's digest.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { localBuilder } from '@kiwi/adapter-local'
import { ociRegistry } from '@kiwi/adapter-registry'
import { ociLayout } from '@kiwi/core'
import { testContext } from '@kiwi/core/testing'

const [state = ''] = process.argv.slice(2)
const source = join(state, 'source')
mkdirSync(join(source, 'src'), { recursive: true })
for (let number = 0; number < 40; number++) writeFileSync(join(source, 'src', `${number}`), `${number}\n`.repeat(2000))

const dockerfile = `FROM busybox:1.36 AS one
RUN --mount=type=cache,target=/c echo 1 > /c/x && mkdir /one && for i in 1 2 3 4 5 6 7 8; do echo $i > /one/$i; sleep 0.02; done
FROM busybox:1.36 AS two
COPY src /src
RUN --mount=type=secret,id=token rm -r /src/1* && mv /src/2 /src/other && sleep 0.1
FROM busybox:1.36
COPY --from=one /one /one
COPY --from=two /src /src
RUN rm -r /one/3 /src/other && (sleep 30 & sleep 0.1; kill $!)
WORKDIR /app
COPY src/5 .
`
const registry = ociRegistry({ host: '127.0.0.1:5000', plainHttp: true })
const context = testContext({ secrets: { TOKEN: 'a-secret-of-the-campaign' } })
const request = {
  ...{ dockerfile, dockerfilePath: 'Dockerfile', contextPath: '.', args: {}, labels: {} },
  platform: { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch },
  secrets: { token: { secret: 'TOKEN' } },
  createdAtSeconds: 1_750_000_000,
}
const image = async () => registry.source({ repository: 'library/busybox', reference: '1.36' }, context)
const sink = ociLayout(join(state, 'sink')).sink
const built = await localBuilder({ directory: join(state, 'builder') }).build(
  request,
  { tree: { directory: source }, sink, image },
  context,
)
console.log(built.manifest.digest)
await registry[Symbol.asyncDispose]()
