/**
 * Signed URLs and upload forms: AWS Signature Version 4 in the query, and POST policies. Computed here, with the credentials of the
 * SDK's client; nothing is asked of the store, so that signing thousands costs little.
 *
 *   key              as for headers: lean/signature.ts
 *   GET, HEAD, PUT   X-Amz-Signature = HMAC(key, 'AWS4-HMAC-SHA256' ‖ time ‖ scope ‖ SHA-256(canonical request))
 *   POST             X-Amz-Signature = HMAC(key, base64(policy))
 *
 * What an upload has to say (content type, metadata, storage class, encryption) is in the signature: `headers`, or `fields`, are
 * exactly what has to be sent. A URL dies with the credentials that signed it: with temporary ones, earlier than it says.
 * Amazon S3 API reference, "Authenticating Requests: Using Query Parameters" and "Creating a POST policy".
 */
import { contentTypeOf } from '../../content-type.ts'
import type { SignedRequest, SignOptions } from '../../driver.ts'
import { InvalidArgumentError, UnsupportedError } from '../../errors.ts'
import { encodePath } from '../../path.ts'
import type { S3Connection } from './client.ts'
import {
  ALGORITHM,
  canonicalHeaders,
  encodeQuery,
  requestSignature,
  type SigningKey,
  signatureOf,
  signingKey,
  timeOf,
  UNSIGNED_PAYLOAD,
} from './lean/signature.ts'
import { encodeMetadata } from './metadata.ts'
import { translated } from './s3-errors.ts'
import { api } from './sdk.ts'
import type { S3Identity, S3Settings } from './settings.ts'
import { type BucketAddress, bucketAddress } from './urls.ts'

const MAX_SECONDS = 7 * 24 * 60 * 60 // Amazon S3 API reference: X-Amz-Expires
const MAX_POST_BYTES = 5 * 1024 ** 3 // Amazon S3 API reference, "POST Object"

export interface SigningSources {
  readonly now?: Date
  /** Where a transport has credentials already. Default: the SDK's client. */
  readonly identity?: (() => S3Identity | Promise<S3Identity>) | undefined
}

/** @throws InvalidArgumentError for more than seven days; UnsupportedError for what the store or the disk's encryption rules out */
export async function presign(
  connection: S3Connection,
  settings: S3Settings,
  key: string,
  options: SignOptions & SigningSources,
): Promise<SignedRequest> {
  const now = options.now ?? new Date()
  const seconds = secondsUntil(options.expiresAt, now)
  if (settings.sseCustomer !== undefined) {
    throw new UnsupportedError('files are encrypted with "sseCustomerKey", which whoever has the URL would need')
  }
  const limited = options.maxSize !== undefined || options.minSize !== undefined
  if (limited && !settings.features.postPolicy) {
    throw new UnsupportedError(`${settings.name} cannot limit the size of an upload: leave out maxSize and minSize`)
  }
  const address = await bucketAddress(connection, settings)
  const identity = await (options.identity === undefined ? identityOf(connection, settings) : options.identity())
  const signer = signerOf(address, identity, now)
  if (limited) return signedForm(signer, key, { options, settings, expiresAt: new Date(now.getTime() + seconds * 1_000) })
  return signedUrl(signer, key, { options, settings, seconds })
}

/** In whole seconds, never fewer than asked for. */
function secondsUntil(expiresAt: Date, now: Date): number {
  const seconds = Math.ceil((expiresAt.getTime() - now.getTime()) / 1_000)
  if (seconds < 1) throw new InvalidArgumentError('the URL would have expired already')
  if (seconds > MAX_SECONDS) throw new InvalidArgumentError(`a signed URL of S3 is good for at most seven days (${MAX_SECONDS} seconds)`)
  return seconds
}

interface Signer extends BucketAddress {
  readonly identity: S3Identity
  /** `20261121T140912Z` */
  readonly time: string
  readonly key: SigningKey
}

function signerOf(address: BucketAddress, identity: S3Identity, now: Date): Signer {
  const time = timeOf(now)
  return { ...address, identity, time, key: signingKey(identity, time.slice(0, 8), address) }
}

async function identityOf(connection: S3Connection, { credentials, bucket }: S3Settings): Promise<S3Identity> {
  if (typeof credentials === 'object') return credentials
  try {
    const { client } = await api(connection)
    return await client.config.credentials() // The client remembers what a function or the SDK's chain gave, until it expires.
  } catch (error) {
    throw translated(error, bucket)
  }
}

interface UrlRequest {
  readonly options: SignOptions
  readonly settings: S3Settings
  readonly seconds: number
}

function signedUrl(signer: Signer, key: string, { options, settings, seconds }: UrlRequest): SignedRequest {
  const { identity, time, key: signing } = signer
  const { method } = options
  const headers = method === 'PUT' ? uploadHeaders(options, settings) : {}
  const url = new URL(`${signer.base}/${encodePath(key)}`)
  const { lines, names } = canonicalHeaders({ host: url.host, ...headers })
  const query = encodeQuery({
    'X-Amz-Algorithm': ALGORITHM,
    'X-Amz-Content-Sha256': UNSIGNED_PAYLOAD,
    'X-Amz-Credential': signing.credential,
    'X-Amz-Date': time,
    'X-Amz-Expires': String(seconds),
    'X-Amz-Security-Token': identity.sessionToken,
    'X-Amz-SignedHeaders': names,
    ...(method !== 'PUT' && {
      'response-content-disposition': options.contentDisposition,
      'response-content-type': options.contentType,
    }),
  })
  const canonical = [method, url.pathname, query, lines, names, UNSIGNED_PAYLOAD].join('\n')
  return { url: `${url.origin}${url.pathname}?${query}&X-Amz-Signature=${requestSignature(signing, time, canonical)}`, method, headers }
}

/** What an upload has to say of itself, by header. */
function uploadHeaders({ contentType, metadata = {} }: SignOptions, settings: S3Settings): Readonly<Record<string, string>> {
  const named = Object.entries(encodeMetadata(metadata)).map(([name, value]) => [`x-amz-meta-${name}`, value] as const)
  const { storageClass, serverSideEncryption, kmsKeyId } = settings
  return {
    ...(contentType !== undefined && { 'content-type': contentType }),
    ...(storageClass !== undefined && { 'x-amz-storage-class': storageClass }),
    ...(serverSideEncryption !== undefined && { 'x-amz-server-side-encryption': serverSideEncryption }),
    ...(kmsKeyId !== undefined && { 'x-amz-server-side-encryption-aws-kms-key-id': kmsKeyId }),
    ...Object.fromEntries(named),
  }
}

interface FormRequest {
  readonly options: SignOptions
  readonly settings: S3Settings
  readonly expiresAt: Date
}

async function signedForm(signer: Signer, key: string, { options, settings, expiresAt }: FormRequest): Promise<SignedRequest> {
  const { identity, time, key: signing } = signer
  const { minSize = 0, maxSize = MAX_POST_BYTES } = options
  // A form says the type in a field, which browsers do not fill in by themselves.
  const { 'content-type': contentType = await contentTypeOf(key), ...headers } = uploadHeaders(options, settings)
  const fields: Readonly<Record<string, string>> = {
    key,
    ...(contentType !== undefined && { 'Content-Type': contentType }),
    ...headers,
    'X-Amz-Algorithm': ALGORITHM,
    'X-Amz-Credential': signing.credential,
    'X-Amz-Date': time,
    ...(identity.sessionToken !== undefined && { 'X-Amz-Security-Token': identity.sessionToken }),
  }
  const conditions = [
    { bucket: settings.bucket },
    ...Object.entries(fields).map(([name, value]) => ({ [name]: value })),
    ['content-length-range', minSize, maxSize],
  ]
  const policy = Buffer.from(JSON.stringify({ expiration: expiresAt.toISOString(), conditions })).toString('base64')
  return {
    url: signer.base,
    method: 'POST',
    headers: {},
    fields: { ...fields, Policy: policy, 'X-Amz-Signature': signatureOf(signing, policy) },
  }
}
