/**
 * URLs that carry a shared access signature (service SAS of a blob).
 *
 *   account key ──────────────────────────────────┐
 *   identity ──▶ user delegation key (a day, kept) ┴──▶ signature over container, blob, permission, expiry ──▶ ?sv=…&sig=…
 *
 * A SAS cannot make another, so a disk that has only such a token signs nothing. Over https alone, unless the endpoint is http.
 */
import type * as Sdk from '@azure/storage-blob'
import type { SignedRequest, SignOptions } from '../../driver.ts'
import { InvalidArgumentError, UnsupportedError } from '../../errors.ts'
import { encodePath } from '../../path.ts'
import type { AzureConnection, Opened } from './client.ts'
import { encodeMetadata } from './metadata.ts'
import { isKeyCredential, isTokenCredential } from './settings.ts'

/** Get User Delegation Key, REST API: a key is good for seven days at most. */
const MAX_DELEGATION_MS = 7 * 24 * 3_600_000
const USUAL_DELEGATION_MS = 24 * 3_600_000
/** Clocks differ. */
const SKEW_MS = 5 * 60_000
const COPY_MS = 3_600_000

export class Signatures {
  readonly #connection: AzureConnection
  readonly #now: () => Date
  #delegation: { readonly key: Sdk.UserDelegationKey; readonly expiresAt: number } | undefined

  constructor(connection: AzureConnection, now: () => Date = () => new Date()) {
    this.#connection = connection
    this.#now = now
  }

  /** @throws UnsupportedError for limits of size, which a SAS does not have */
  async sign(key: string, options: SignOptions): Promise<SignedRequest> {
    const { method, expiresAt, contentType, contentDisposition, maxSize, minSize, metadata } = options
    if (maxSize !== undefined || minSize !== undefined) {
      throw new UnsupportedError('a shared access signature cannot limit the size of an upload: leave maxSize and minSize out')
    }
    const url = publicUrl(this.#connection, key)
    if (method !== 'PUT')
      return {
        url: `${url}?${await this.#query(key, { permissions: 'r', expiresAt, contentType, contentDisposition })}`,
        method,
        headers: {},
      }
    const query = await this.#query(key, { permissions: 'cw', expiresAt })
    const named = Object.entries(encodeMetadata(metadata) ?? {}).map(([name, value]) => [`x-ms-meta-${name}`, value] as const)
    const typed = contentType === undefined ? {} : { 'content-type': contentType, 'x-ms-blob-content-type': contentType }
    return { url: `${url}?${query}`, method, headers: { 'x-ms-blob-type': 'BlockBlob', ...typed, ...Object.fromEntries(named) } }
  }

  /** How the service itself reads a blob that it copies. */
  async copySource(key: string, tags: boolean, signal: AbortSignal | undefined): Promise<CopySource> {
    return this.#connection.ask(signal, async (opened) => {
      const { credential } = opened.container
      const { url } = opened.container.getBlobClient(key)
      if (isKeyCredential(credential)) {
        const query = await this.#query(key, { permissions: tags ? 'rt' : 'r', expiresAt: new Date(this.#now().getTime() + COPY_MS) })
        return { url: `${url}?${query}` }
      }
      if (!isTokenCredential(credential)) return { url } // with its SAS, or public
      const token = await (credential as Sdk.StorageSharedKeyCredential & TokenSource).getToken('https://storage.azure.com/.default')
      return { url, ...(token !== null && { sourceAuthorization: { scheme: 'Bearer', value: token.token } }) }
    })
  }

  async #query(key: string, { permissions, expiresAt, contentType, contentDisposition }: Grant): Promise<string> {
    const { settings } = this.#connection
    return this.#connection.ask(undefined, async (opened) => {
      const { sdk } = opened
      const values = {
        containerName: settings.container,
        blobName: key,
        permissions: sdk.BlobSASPermissions.parse(permissions),
        expiresOn: expiresAt,
        protocol: settings.endpoint.startsWith('http:') ? sdk.SASProtocol.HttpsAndHttp : sdk.SASProtocol.Https,
        ...(contentType !== undefined && { contentType }),
        ...(contentDisposition !== undefined && { contentDisposition }),
      }
      const { credential, accountName } = opened.service
      if (isKeyCredential(credential)) {
        return sdk.generateBlobSASQueryParameters(values, credential as Sdk.StorageSharedKeyCredential).toString()
      }
      const delegation = await this.#delegationKey(opened, expiresAt)
      const startsOn = new Date(this.#now().getTime() - SKEW_MS)
      return sdk.generateBlobSASQueryParameters({ ...values, startsOn }, delegation, accountName).toString()
    })
  }

  /** One key signs many URLs: it is asked for again when it would end before the URL. */
  async #delegationKey({ service }: Opened, expiresAt: Date): Promise<Sdk.UserDelegationKey> {
    const now = this.#now().getTime()
    if (expiresAt.getTime() > now + MAX_DELEGATION_MS) {
      throw new InvalidArgumentError(
        'a URL that is signed with an identity is good for seven days at most: an account key signs longer ones',
      )
    }
    if (this.#delegation !== undefined && this.#delegation.expiresAt >= expiresAt.getTime()) return this.#delegation.key
    const until = Math.min(now + MAX_DELEGATION_MS, Math.max(now + USUAL_DELEGATION_MS, expiresAt.getTime() + SKEW_MS))
    const key = await service.getUserDelegationKey(new Date(now - SKEW_MS), new Date(until))
    this.#delegation = { key, expiresAt: until }
    return key
  }
}

export interface CopySource {
  readonly url: string
  readonly sourceAuthorization?: { readonly scheme: string; readonly value: string }
}

interface TokenSource {
  getToken(scope: string): Promise<{ readonly token: string } | null>
}

interface Grant {
  readonly permissions: string
  readonly expiresAt: Date
  readonly contentType?: string | undefined
  readonly contentDisposition?: string | undefined
}

/** Answers only where the container is public. */
export function publicUrl({ settings }: AzureConnection, key: string): string {
  return `${settings.endpoint}/${settings.container}/${encodePath(key)}`
}
