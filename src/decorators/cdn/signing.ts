/** Addresses that expire: of the network where it has a signer, else the inner disk's own, and never the public one. */
import type { Driver, SignedRequest, SignOptions } from '../../driver.ts'
import { UnsupportedError } from '../../errors.ts'
import { normalizeFilePath, normalizePath } from '../../path.ts'
import type { CdnAddress } from './address.ts'
import type { CdnGrant, CdnSigner, SigningGrant } from './grant.ts'
import { signForSpaces } from './spaces-signer.ts'

export interface Signing {
  readonly address: CdnAddress
  readonly signer: CdnSigner | undefined
  /** The inner disk signs, and the network takes it. */
  readonly forSpaces: boolean
  readonly now: () => Date
}

export function signUrlOf(inner: Driver, signing: Signing): Driver['signUrl'] {
  const { address, signer, forSpaces, now } = signing
  const own = inner.signUrl?.bind(inner)
  if (signer === undefined && !forSpaces) return own
  if (signer === undefined) {
    return own && ((path, options) => (options.method === 'PUT' ? own(path, options) : signForSpaces(inner, address, { path, options })))
  }
  return async (path, options) => {
    if (isForStore(options)) {
      if (own !== undefined) return own(path, options)
      throw new UnsupportedError(`only the store can sign this, and ${inner.name} cannot`)
    }
    return signed(options, signer.sign(address.url(path), { expiresAt: options.expiresAt, now: now() }))
  }
}

/** Uploads go to the store, and so do headers of the answer, which a network's signature cannot ask for. */
function isForStore({ method, contentType, contentDisposition }: SignOptions): boolean {
  return method === 'PUT' || contentType !== undefined || contentDisposition !== undefined
}

function signed({ method }: SignOptions, url: string): SignedRequest {
  return { url, method, headers: {} }
}

/** What `layer('cdn')` signs with more than an end. @throws UnsupportedError without a signer, or for what it cannot enforce */
export function signGrant(path: string, grant: CdnGrant, signing: Signing): string {
  if (signing.signer === undefined) throw noSigner()
  return signing.signer.sign(signing.address.url(normalizeFilePath(path)), grantOf(grant, signing))
}

/** @throws UnsupportedError unless the provider has signed cookies */
export function cookiesFor(path: string, grant: CdnGrant, signing: Signing): Readonly<Record<string, string>> {
  if (signing.signer?.cookies === undefined)
    throw new UnsupportedError('signed cookies need CloudFront, with its "keyPairId" and "privateKey"')
  return signing.signer.cookies(signing.address.url(normalizeFilePath(path)), grantOf(grant, signing))
}

function grantOf(grant: CdnGrant, { address, now }: Signing): SigningGrant {
  const { below } = grant
  if (below === undefined) return { ...grant, now: now() }
  return { ...grant, below: address.origin + address.pathname({ type: 'prefix', path: normalizePath(below) }), now: now() }
}

function noSigner(): UnsupportedError {
  return new UnsupportedError('the disk has no keys to sign addresses of the network with')
}
