export { type EmbeddedRegistry, type EmbeddedRegistryOptions, embeddedRegistry } from './embedded/index.js'
export { type EmbeddedRegistryServer, type ServeRegistryOptions, serveRegistry } from './server/index.js'
