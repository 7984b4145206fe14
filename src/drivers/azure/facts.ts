/** What Azure keeps with a blob ↔ what a disk tells of a file. */
import type * as Sdk from '@azure/storage-blob'
import { contentTypeOf } from '../../content-type.ts'
import type { FileStat, WriteOptions } from '../../driver.ts'
import { InvalidArgumentError, quote } from '../../errors.ts'
import { decodeMetadata, encodeMetadata } from './metadata.ts'
import { type AccessTier, TIER_NAMES, tierOf } from './settings.ts'

/** What answers to GET and HEAD have in common. */
export type BlobFacts = Pick<
  Sdk.BlobGetPropertiesResponse,
  | 'etag'
  | 'lastModified'
  | 'contentType'
  | 'cacheControl'
  | 'contentDisposition'
  | 'contentEncoding'
  | 'contentLanguage'
  | 'metadata'
  | 'accessTier'
  | 'versionId'
>

/** What a blob is written with. */
export interface BlobOptions {
  readonly blobHTTPHeaders: Sdk.BlobHTTPHeaders
  readonly metadata?: Record<string, string>
  readonly tags?: Record<string, string>
  readonly tier?: AccessTier
  readonly conditions: Sdk.BlobRequestConditions
}

export function statOf(path: string, size: number, facts: BlobFacts): FileStat {
  const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, versionId } = facts
  const metadata = decodeMetadata(facts.metadata)
  return {
    path,
    size,
    lastModified: facts.lastModified ?? new Date(0),
    ...(facts.etag !== undefined && { etag: quoted(facts.etag) }),
    ...(contentType && { contentType }),
    ...(cacheControl && { cacheControl }),
    ...(contentDisposition && { contentDisposition }),
    ...(contentEncoding && { contentEncoding }),
    ...(contentLanguage && { contentLanguage }),
    ...(metadata !== undefined && { metadata }),
    ...(facts.accessTier !== undefined && { storageClass: facts.accessTier }),
    ...(versionId !== undefined && { versionId }),
  }
}

/** As headers have it; listings leave the quotes out. */
export function quoted(etag: string): string {
  return etag.startsWith('"') || etag.startsWith('W/') ? etag : `"${etag}"`
}

/** @throws InvalidArgumentError for what Azure cannot keep */
export async function blobOptions(path: string, options: WriteOptions, tier: AccessTier | undefined): Promise<BlobOptions> {
  const metadata = encodeMetadata(options.metadata)
  const chosen = options.storageClass === undefined ? tier : judgeTier(options.storageClass)
  return {
    blobHTTPHeaders: headersFor(options, options.contentType ?? (await contentTypeOf(path))),
    ...(metadata !== undefined && { metadata }),
    ...(options.tags !== undefined && { tags: { ...options.tags } }),
    ...(chosen !== undefined && { tier: chosen }),
    conditions: conditionsOf(options),
  }
}

export function conditionsOf({ ifAbsent, ifMatch }: WriteOptions): Sdk.BlobRequestConditions {
  return { ...(ifAbsent && { ifNoneMatch: '*' }), ...(ifMatch !== undefined && { ifMatch }) }
}

/** @throws InvalidArgumentError for another store's storage class */
export function judgeTier(storageClass: string): AccessTier {
  const tier = tierOf(storageClass)
  if (tier === undefined) throw new InvalidArgumentError(`storageClass ${quote(storageClass)} is no access tier of Azure: ${TIER_NAMES}`)
  return tier
}

function headersFor(options: WriteOptions, contentType: string | undefined): Sdk.BlobHTTPHeaders {
  const { cacheControl, contentDisposition, contentEncoding, contentLanguage } = options
  for (const [name, value] of Object.entries({ contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage })) {
    if (value !== undefined && !/^[\x20-\x7e]*$/.test(value)) throw new InvalidArgumentError(`${name} may have ASCII characters only`)
  }
  return {
    ...(contentType !== undefined && { blobContentType: contentType }),
    ...(cacheControl !== undefined && { blobCacheControl: cacheControl }),
    ...(contentDisposition !== undefined && { blobContentDisposition: contentDisposition }),
    ...(contentEncoding !== undefined && { blobContentEncoding: contentEncoding }),
    ...(contentLanguage !== undefined && { blobContentLanguage: contentLanguage }),
  }
}
