import Docker from 'dockerode'

/** How the engine is reached. Left out: `DOCKER_HOST`, else the local socket. */
export interface DockerConnection {
  /** `unix:///run/docker.sock`, `tcp://host:2375`. */
  readonly url?: string | undefined
}

export function connect(connection: DockerConnection = {}): Docker {
  if (connection.url === undefined) return new Docker()
  const url = new URL(connection.url)
  if (url.protocol === 'unix:') return new Docker({ socketPath: url.pathname })
  return new Docker({ protocol: 'http', host: url.hostname, port: Number(url.port || 2375) })
}
