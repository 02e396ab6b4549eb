import { createServer } from 'node:http'
import ms from 'ms'

const greeting = 'Hello from the first release'
const port = process.env.PORT || 3000

const server = createServer((_request, response) => {
  response.setHeader('content-type', 'text/plain')
  response.end(`${greeting}, up for ${ms(Math.round(process.uptime() * 1000))}\n`)
})
server.listen(port, () => console.log(`listening on ${port}`))
process.on('SIGTERM', () => server.close())
