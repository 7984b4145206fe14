/** What an object is to have, as headers of a request; and what the headers of an answer say of an object. */
import type { IncomingHttpHeaders } from 'node:http'
import { nodeCrypto, nodeZlib } from '../../../builtins.ts'
import type { Checksum } from '../../../driver.ts'
import { noLength, noStore } from '../s3-errors.ts'
import type { ConditionRequest, ObjectHead, ObjectRequest, Written } from '../requests.ts'
import { quoted, taggingOf, unquoted, versionOf as versionOfId } from '../notations.ts'
import type { S3Settings } from '../settings.ts'

/** By name in lower case. */
export type Headers = Record<string, string>

/** Of an object that is made. */
export function objectHeaders(headers: Headers, options: ObjectRequest, settings: S3Settings): void {
  put(headers, 'content-type', options.contentType)
  put(headers, 'cache-control', options.cacheControl)
  put(headers, 'content-disposition', options.contentDisposition)
  put(headers, 'content-encoding', options.contentEncoding)
  put(headers, 'content-language', options.contentLanguage)
  put(headers, 'x-amz-acl', options.acl)
  put(headers, 'x-amz-storage-class', options.storageClass ?? settings.storageClass)
  if (options.tags !== undefined) headers['x-amz-tagging'] = taggingOf(options.tags)
  if (options.metadata === undefined) return
  for (const [name, value] of Object.entries(options.metadata)) headers[`x-amz-meta-${name}`] = value
}

export function put(headers: Headers, name: string, value: string | undefined): void {
  if (value !== undefined) headers[name] = value
}

/** How the store encrypts what is written. */
export function encryptionHeaders(headers: Headers, settings: S3Settings): void {
  put(headers, 'x-amz-server-side-encryption', settings.serverSideEncryption)
  put(headers, 'x-amz-server-side-encryption-aws-kms-key-id', settings.kmsKeyId)
  customerKey(headers, settings)
}

/** The key that goes with every request which touches the bytes of a file. */
export function customerKey(headers: Headers, { sseCustomer }: S3Settings, prefix = 'x-amz-server-side'): void {
  if (sseCustomer === undefined) return
  headers[`${prefix}-encryption-customer-algorithm`] = sseCustomer.algorithm
  headers[`${prefix}-encryption-customer-key`] = sseCustomer.key
  headers[`${prefix}-encryption-customer-key-md5`] = sseCustomer.keyMd5
}

export function conditionHeaders(headers: Headers, { ifAbsent, ifMatch }: ConditionRequest): void {
  if (ifAbsent === true) headers['if-none-match'] = '*'
  else put(headers, 'if-match', unquoted(ifMatch))
}

/** A checksum that the store verifies. All know Content-MD5; the newer headers go only to those that are said to know them. */
export function checksumHeader(headers: Headers, checksum: Checksum, { checksums }: S3Settings): void {
  const { algorithm, value } = checksum
  if (algorithm === 'sha512') return
  const encoded = Buffer.from(value, 'hex').toString('base64')
  if (algorithm === 'md5') headers['content-md5'] = encoded
  else if (checksums === 'WHEN_SUPPORTED') headers[`x-amz-checksum-${algorithm}`] = encoded
}

/** CRC-32 in base64, as headers of S3 have it. */
export function crc32Of(bytes: Uint8Array): string {
  const value = Buffer.allocUnsafe(4)
  value.writeUInt32BE(nodeZlib().crc32(bytes))
  return value.toString('base64')
}

/** MD5 in base64, as Content-MD5 has it. */
export function md5Of(bytes: Uint8Array): string {
  return nodeCrypto().hash('md5', bytes, 'base64')
}

/** @throws UnavailableError for what is no file of a store; or does not say how long it is, so that what was cut could not be told */
export function headOf(headers: IncomingHttpHeaders): ObjectHead {
  if (headers.etag === undefined && headers['last-modified'] === undefined) throw noStore()
  const contentLength = Number(headers['content-length'])
  if (headers['content-length'] === undefined || !Number.isSafeInteger(contentLength)) throw noLength()
  const lastModified = Date.parse(headers['last-modified'] ?? '')
  return {
    contentLength,
    contentRange: headers['content-range'],
    lastModified: new Date(Number.isNaN(lastModified) ? 0 : lastModified),
    etag: quoted(headers.etag),
    versionId: versionOf(headers),
    storageClass: textOf(headers, 'x-amz-storage-class'),
    metadata: metadataOf(headers),
    tagCount: Number(textOf(headers, 'x-amz-tagging-count') ?? 0),
    contentType: headers['content-type'],
    cacheControl: headers['cache-control'],
    contentDisposition: headers['content-disposition'],
    contentEncoding: headers['content-encoding'],
    contentLanguage: headers['content-language'],
  }
}

export function writtenOf(headers: IncomingHttpHeaders): Written {
  return { etag: quoted(headers.etag), versionId: versionOf(headers) }
}

export function versionOf(headers: IncomingHttpHeaders): string | undefined {
  return versionOfId(textOf(headers, 'x-amz-version-id'))
}

const METADATA = 'x-amz-meta-'

function metadataOf(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  const metadata: Record<string, string> = {}
  for (const name in headers) if (name.startsWith(METADATA)) metadata[name.slice(METADATA.length)] = textOf(headers, name) ?? ''
  return metadata
}

export function textOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
