import { X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import { type Context, KiwiError, type SecretReference } from '@kiwi/core'

/** What a registry knows its client by that asks for a certificate (mutual TLS). */
export interface ClientCertificate {
  /** PEM: the certificate, and those between it and an authority that the registry trusts. */
  readonly certificate: string
  /** PEM, without a passphrase. */
  readonly key: SecretReference
}

/** What a TLS connection is begun with. */
export interface Identity {
  readonly ca?: string
  readonly secureContext?: SecureContext
}

export interface IdentityOptions {
  readonly certificateAuthority?: string | undefined
  readonly clientCertificate?: ClientCertificate | undefined
}

/**
 * The key is looked up for the first connection to the registry itself; from then on only the TLS library holds it.
 * Throws `INPUT_INVALID` when the authority is not PEM, which the library would take for none.
 */
export function identities(host: string, options: IdentityOptions) {
  const { certificateAuthority: ca, clientCertificate } = options
  const plain: Identity = ca === undefined ? {} : { ca }
  if (ca !== undefined) requireCertificate(host, ca)
  let kept: Identity | undefined
  return async (own: boolean, context: Pick<Context, 'secret'>): Promise<Identity> => {
    if (!own || !clientCertificate) return plain
    kept ??= await context.secret(clientCertificate.key, async (key) =>
      load(host, clientCertificate.certificate, key, ca),
    )
    return { ...plain, ...kept }
  }
}

function requireCertificate(host: string, pem: string): void {
  try {
    new X509Certificate(pem)
  } catch {
    throw new KiwiError('INPUT_INVALID', `certificateAuthority for ${host} is not a certificate`, {
      hint: 'Give the text of the PEM file, not its path.',
      evidence: { host },
    })
  }
}

/** The library's own message is left out: it has read the key. */
function load(host: string, cert: string, key: string, ca: string | undefined): Identity {
  try {
    return { secureContext: createSecureContext({ cert, key, ...(ca !== undefined && { ca }) }) }
  } catch {
    throw new KiwiError('INPUT_INVALID', `the client certificate for ${host}, or its key, cannot be used`, {
      hint: 'Give both as PEM, the key without a passphrase; the key has to be that of the certificate.',
      evidence: { host },
    })
  }
}
