/** What goes into the SDK's commands and comes out of them, in its own names. Pure: nothing here sends anything. */
import type * as Sdk from '@aws-sdk/client-s3'
import type { Checksum } from '../../driver.ts'
import { noLength, noStore } from './s3-errors.ts'
import { quoted, taggingOf, unquoted, versionOf } from './notations.ts'
import type { ConditionRequest, ObjectHead, ObjectRequest, Written } from './requests.ts'
import type { S3Settings } from './settings.ts'

type ObjectInput = Pick<
  Sdk.PutObjectCommandInput,
  | 'ACL'
  | 'CacheControl'
  | 'ContentDisposition'
  | 'ContentEncoding'
  | 'ContentLanguage'
  | 'ContentType'
  | 'Metadata'
  | 'StorageClass'
  | 'Tagging'
>

/** What an object is to have. Members that are undefined send no header. */
export function objectInput(options: ObjectRequest, settings: S3Settings): ObjectInput {
  return {
    ACL: options.acl,
    CacheControl: options.cacheControl,
    ContentDisposition: options.contentDisposition,
    ContentEncoding: options.contentEncoding,
    ContentLanguage: options.contentLanguage,
    ContentType: options.contentType,
    Metadata: options.metadata,
    StorageClass: (options.storageClass ?? settings.storageClass) as Sdk.StorageClass | undefined,
    Tagging: options.tags && taggingOf(options.tags),
  }
}

type Encryption = Pick<Sdk.PutObjectCommandInput, 'ServerSideEncryption' | 'SSEKMSKeyId'> & CustomerKey
type CustomerKey = Pick<Sdk.PutObjectCommandInput, 'SSECustomerAlgorithm' | 'SSECustomerKey' | 'SSECustomerKeyMD5'>
type SourceKey = Pick<
  Sdk.CopyObjectCommandInput,
  'CopySourceSSECustomerAlgorithm' | 'CopySourceSSECustomerKey' | 'CopySourceSSECustomerKeyMD5'
>

/** What goes with requests that make an object, with those that touch its bytes, and with those that copy from one. */
export function encryptionOf({ serverSideEncryption, kmsKeyId, sseCustomer }: S3Settings): {
  readonly write: Encryption
  readonly read: CustomerKey
  readonly copySource: SourceKey
} {
  if (sseCustomer === undefined) {
    const write: Encryption = {
      ...(serverSideEncryption !== undefined && { ServerSideEncryption: serverSideEncryption as Sdk.ServerSideEncryption }),
      ...(kmsKeyId !== undefined && { SSEKMSKeyId: kmsKeyId }),
    }
    return { write, read: {}, copySource: {} }
  }
  const { algorithm, key, keyMd5 } = sseCustomer
  const own = { SSECustomerAlgorithm: algorithm, SSECustomerKey: key, SSECustomerKeyMD5: keyMd5 }
  const copySource = {
    CopySourceSSECustomerAlgorithm: algorithm,
    CopySourceSSECustomerKey: key,
    CopySourceSSECustomerKeyMD5: keyMd5,
  }
  return { write: own, read: own, copySource }
}

export function conditions({ ifAbsent, ifMatch }: ConditionRequest): { IfNoneMatch?: '*'; IfMatch?: string | undefined } {
  if (ifAbsent === true) return { IfNoneMatch: '*' }
  return ifMatch === undefined ? {} : { IfMatch: unquoted(ifMatch) }
}

const CHECKSUM_HEADERS = {
  md5: 'ContentMD5',
  crc32: 'ChecksumCRC32',
  crc32c: 'ChecksumCRC32C',
  sha1: 'ChecksumSHA1',
  sha256: 'ChecksumSHA256',
} as const

type ChecksumInput = { readonly [Header in (typeof CHECKSUM_HEADERS)[keyof typeof CHECKSUM_HEADERS]]?: string }

/** A checksum that the store verifies. All know Content-MD5; the newer headers go only to those that are said to know them. */
export function checksumInput(checksum: Checksum | undefined, { checksums }: S3Settings): ChecksumInput {
  if (checksum === undefined || checksum.algorithm === 'sha512') return {}
  if (checksum.algorithm !== 'md5' && checksums === 'WHEN_REQUIRED') return {}
  return { [CHECKSUM_HEADERS[checksum.algorithm]]: Buffer.from(checksum.value, 'hex').toString('base64') }
}

export function writtenOf({ ETag, VersionId }: { ETag?: string | undefined; VersionId?: string | undefined }): Written {
  return { etag: quoted(ETag), versionId: versionOf(VersionId) }
}

type HeadOutput = Pick<
  Sdk.GetObjectCommandOutput,
  | 'CacheControl'
  | 'ContentDisposition'
  | 'ContentEncoding'
  | 'ContentLanguage'
  | 'ContentLength'
  | 'ContentRange'
  | 'ContentType'
  | 'ETag'
  | 'LastModified'
  | 'Metadata'
  | 'StorageClass'
  | 'TagCount'
  | 'VersionId'
>

/** @throws UnavailableError for what is no file of a store; or does not say how long it is, so that what was cut could not be told */
export function headOf(output: HeadOutput): ObjectHead {
  if (output.ETag === undefined && output.LastModified === undefined) throw noStore()
  if (output.ContentLength === undefined) throw noLength()
  return {
    contentLength: output.ContentLength,
    contentRange: output.ContentRange,
    lastModified: output.LastModified ?? new Date(0),
    etag: quoted(output.ETag),
    versionId: versionOf(output.VersionId),
    storageClass: output.StorageClass,
    metadata: output.Metadata ?? {},
    tagCount: output.TagCount ?? 0,
    contentType: output.ContentType,
    cacheControl: output.CacheControl,
    contentDisposition: output.ContentDisposition,
    contentEncoding: output.ContentEncoding,
    contentLanguage: output.ContentLanguage,
  }
}
