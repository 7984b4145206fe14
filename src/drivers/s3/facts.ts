/** What a file is to have, as headers; and what an answer's headers say of a file. */
import { contentTypeOf } from '../../content-type.ts'
import type { FileStat, WriteOptions } from '../../driver.ts'
import { InvalidArgumentError, UnsupportedError } from '../../errors.ts'
import { decodeMetadata, encodeMetadata } from './metadata.ts'
import type { CannedAcl, ObjectHead, ObjectRequest } from './requests.ts'
import type { S3Settings } from './settings.ts'

const HEADERS = ['contentType', 'cacheControl', 'contentDisposition', 'contentEncoding', 'contentLanguage', 'storageClass'] as const

/** @throws InvalidArgumentError for what a header cannot carry; UnsupportedError for a visibility that the disk does not have */
export async function newObject(path: string, options: WriteOptions, settings: S3Settings): Promise<ObjectRequest> {
  return { ...objectOptions(options, settings), contentType: options.contentType || (await contentTypeOf(path)) }
}

/** The same without a content type that nobody gave. */
export function objectOptions(options: WriteOptions, settings: S3Settings): ObjectRequest {
  for (const name of HEADERS) judgeHeader(name, options[name])
  const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, metadata, tags, storageClass, signal } = options
  return {
    contentType,
    cacheControl,
    contentDisposition,
    contentEncoding,
    contentLanguage,
    storageClass: settings.features.storageClasses ? storageClass : undefined, // advisory, too
    signal,
    metadata: metadata && encodeMetadata(metadata),
    tags: settings.features.tags ? tags : undefined, // advisory: left out where there are none
    acl: aclOf(options, settings),
  }
}

function aclOf({ visibility }: WriteOptions, { acl }: S3Settings): CannedAcl | undefined {
  if (visibility === undefined) return undefined
  if (!acl) throw new UnsupportedError('the disk has no ACLs: set "acl: true" for a bucket that has, or use a bucket policy')
  return cannedAcl(visibility)
}

export function cannedAcl(visibility: NonNullable<WriteOptions['visibility']>): CannedAcl {
  return visibility === 'public' ? 'public-read' : 'private'
}

function judgeHeader(name: (typeof HEADERS)[number], value: string | undefined): void {
  if (value === undefined || /^[\x20-\x7e\t]*$/.test(value)) return
  const hint = name === 'contentDisposition' ? ": a file name beyond it goes into filename*=UTF-8''…" : ''
  throw new InvalidArgumentError(`${name} is a header, which S3 takes in ASCII alone${hint}`)
}

/** @param size of the whole file */
export function statOf(path: string, head: ObjectHead, size: number): FileStat {
  const { etag, versionId, storageClass, metadata } = head
  const stat: { -readonly [Name in keyof FileStat]: FileStat[Name] } = {
    path,
    size,
    lastModified: head.lastModified,
    metadata: decodeMetadata(metadata),
    storageClass: storageClass ?? 'STANDARD', // S3 leaves the header out for it
  }
  if (etag !== undefined) stat.etag = etag
  if (versionId !== undefined) stat.versionId = versionId
  if (head.contentType !== undefined) stat.contentType = head.contentType
  if (head.cacheControl !== undefined) stat.cacheControl = head.cacheControl
  if (head.contentDisposition !== undefined) stat.contentDisposition = head.contentDisposition
  if (head.contentLanguage !== undefined) stat.contentLanguage = head.contentLanguage
  const encoding = head.contentEncoding?.replace(/(^|,\s*)aws-chunked(,|$)/, '') // how it was sent once, which some stores keep
  if (encoding !== undefined && encoding !== '') stat.contentEncoding = encoding
  return stat
}
