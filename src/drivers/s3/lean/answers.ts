/**
 * What S3 answers in XML, as plain values. Nothing here sends or waits: an answer is written in as its bytes come, and read at its end.
 *
 * The root of an answer ends in `Result`, or is an `Error`, which four commands send with a status of 200, after the spaces that keep
 * their connection alive: theirs may be a LateFailure. Anything else is refused as what it is: no store. Numbers and booleans that are
 * none are refused as well; a date that is none is not told. What is not asked for is passed over.
 */
import type { KeyPage, ListedObject, Part } from '../requests.ts'
import { noStore } from '../s3-errors.ts'
import { quoted, unescaped } from '../notations.ts'
import { type Shape, XmlReader } from './xml.ts'

/** One for each answer. */
export interface AnswerReader<Answer> {
  /** Bytes may be cut anywhere, and are not kept. @throws UnavailableError for what is no answer of S3 */
  write(bytes: Uint8Array): void
  /** @throws UnavailableError also for an answer that was cut */
  end(): Answer
}

/** What a store says of a failure. */
export interface ErrorBody {
  readonly code?: string | undefined
  readonly message?: string | undefined
  readonly requestId?: string | undefined
  readonly hostId?: string | undefined
  /** The one to sign for. */
  readonly region?: string | undefined
  /** The host to ask instead. */
  readonly endpoint?: string | undefined
  readonly bucket?: string | undefined
}

/** A failure that is told after a status of 200. */
export interface LateFailure {
  readonly error: ErrorBody
}

export function isLateFailure(answer: object): answer is LateFailure {
  return 'error' in answer
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] }
type Children = NonNullable<Shape['children']>

function children(shapes: Readonly<Record<string, Shape>>): Children {
  return new Map(Object.entries(shapes))
}

/** A reader of a root with these elements in it. */
function answerReader<Answer>(result: Children, answer: () => Answer): AnswerReader<Answer | LateFailure> {
  const error: Writable<ErrorBody> = {}
  let root: 'Result' | 'Error' | undefined
  const roots: readonly Shape[] = [
    { children: result, end: () => void (root = 'Result') },
    { children: errorChildren(error), end: () => void (root = 'Error') },
  ]
  const xml = new XmlReader({ children: { get: (name) => (name.endsWith('Result') ? roots[0] : name === 'Error' ? roots[1] : undefined) } })
  return {
    write: (bytes) => xml.write(bytes),
    end: () => {
      xml.end()
      if (root === undefined) throw noStore()
      return root === 'Error' ? { error } : answer()
    },
  }
}

/** A reader for commands that have no late failures. */
function plainReader<Answer>(result: Children, answer: () => Answer): AnswerReader<Answer> {
  let answered: { readonly value: Answer } | undefined
  const reader = answerReader(result, () => void (answered = { value: answer() }))
  return {
    write: (bytes) => reader.write(bytes),
    end: () => {
      reader.end()
      if (answered === undefined) throw noStore()
      return answered.value
    },
  }
}

/** @param onToken called with the token of the next page when it is read, which stores send before the keys */
export function keyPageReader(onToken?: (token: string) => void): AnswerReader<KeyPage> {
  const objects: Writable<ListedObject>[] = []
  const prefixes: string[] = []
  let object = emptyObject()
  let truncated: boolean | undefined
  let [isListing, isEncoded] = [false, false]
  const contents = children({
    Key: { text: (text) => void (object.key = text) },
    Size: { text: (text) => void (object.size = numberOf(text)) },
    LastModified: { text: (text) => void (object.lastModified = dateOf(text)) },
    ETag: { text: (text) => void (object.etag = etagOf(text)) },
  })
  const add = (): void => {
    objects.push(object)
    object = emptyObject()
  }
  const listing = children({
    Contents: { children: contents, end: add },
    CommonPrefixes: { children: children({ Prefix: { text: (text) => void prefixes.push(text) } }) },
    IsTruncated: { text: (text) => void (truncated = booleanOf(text)) },
    EncodingType: { text: (text) => void (isEncoded = text === 'url') },
    NextContinuationToken: { text: (text) => onToken?.(text) },
    Name: { end: () => void (isListing = true) },
    KeyCount: { end: () => void (isListing = true) },
  })
  return plainReader(listing, () => {
    if (!isListing && truncated === undefined) throw noStore()
    // Not before the end: MinIO tells the encoding after the keys.
    const decode = isEncoded ? decoded : copied
    for (const listed of objects) listed.key = decode(listed.key)
    return { objects, prefixes: prefixes.map(decode), truncated: truncated === true }
  })
}

function emptyObject(): Writable<ListedObject> {
  return { key: '', size: 0, lastModified: undefined, etag: undefined }
}

/** A key, as it is. @throws UnavailableError for one that is not percent-encoded UTF-8: no request could name it */
function decoded(key: string): string {
  try {
    if (key.includes('+')) return unescaped(key)
    return key.includes('%') ? decodeURIComponent(key) : copied(key)
  } catch {
    throw noStore()
  }
}

/**
 * A text that keeps nothing else alive. V8 makes long slices of a string refer to it: one key would keep 64 KiB of the answer. What
 * is joined and cut is made anew.
 */
function copied(text: string): string {
  return ` ${text}`.slice(1)
}

function numberOf(text: string): number {
  const number = Number(text)
  if (!/^\s*\d+\s*$/.test(text) || !Number.isSafeInteger(number)) throw noStore()
  return number
}

function booleanOf(text: string): boolean {
  if (text !== 'true' && text !== 'false') throw noStore()
  return text === 'true'
}

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i

function dateOf(text: string): Date | undefined {
  if (!RFC_3339.test(text)) return undefined
  const date = new Date(text)
  return Number.isNaN(date.getTime()) ? undefined : date
}

/** Of what a store, or a proxy before it, says in place of an answer. */
const MAX_ERROR_BYTES = 65_536
const MAX_FIELD = 1_024

const ERROR_FIELDS: Readonly<Record<string, keyof ErrorBody>> = {
  Code: 'code',
  Message: 'message',
  RequestId: 'requestId',
  HostId: 'hostId',
  Region: 'region',
  Endpoint: 'endpoint',
  Bucket: 'bucket',
  BucketName: 'bucket',
}

function errorChildren(error: Writable<ErrorBody>): Children {
  return children(
    Object.fromEntries(
      Object.entries(ERROR_FIELDS).map(([name, field]) => [
        name,
        { text: (text: string) => void (error[field] = copied(text.slice(0, MAX_FIELD))) },
      ]),
    ),
  )
}

/** What can be told of any body at all: of a page, of JSON, of nothing, of what was cut or does not end. Never throws. */
export function errorReader(): AnswerReader<ErrorBody> {
  const error: Writable<ErrorBody> = {}
  const fields = errorChildren(error)
  const wrapped = children({ Error: { children: fields }, RequestId: fields.get('RequestId') ?? {} })
  const xml = new XmlReader({ children: children({ Error: { children: fields }, ErrorResponse: { children: wrapped } }) })
  let rest = MAX_ERROR_BYTES
  return {
    write: (bytes) => {
      if (rest <= 0) return
      const read = bytes.subarray(0, rest)
      rest -= bytes.byteLength
      try {
        xml.write(read)
      } catch {
        rest = 0
      }
    },
    end: () => error,
  }
}

/** One key of many. */
export interface DeletionFailure {
  readonly key: string
  readonly code: string | undefined
  readonly message: string | undefined
  readonly versionId: string | undefined
}

/** Of DeleteObjects: what could not be deleted. */
export function deletionReader(): AnswerReader<readonly DeletionFailure[] | LateFailure> {
  const failures: DeletionFailure[] = []
  let failure = emptyFailure()
  const fields = children({
    Key: { text: (text) => void (failure.key = copied(text)) },
    Code: { text: (text) => void (failure.code = copied(text)) },
    Message: { text: (text) => void (failure.message = copied(text)) },
    VersionId: { text: (text) => void (failure.versionId = copied(text)) },
  })
  const add = (): void => {
    failures.push(failure)
    failure = emptyFailure()
  }
  return answerReader(children({ Error: { children: fields, end: add } }), () => failures)
}

function emptyFailure(): Writable<DeletionFailure> {
  return { key: '', code: undefined, message: undefined, versionId: undefined }
}

/** Of CreateMultipartUpload. */
export function uploadIdReader(): AnswerReader<string> {
  let uploadId = ''
  return plainReader(children({ UploadId: { text: (text) => void (uploadId = copied(text)) } }), () => {
    if (uploadId === '') throw noStore()
    return uploadId
  })
}

export interface WrittenAnswer {
  readonly etag: string | undefined
  /** In base64, as the store tells it. */
  readonly checksumCrc32: string | undefined
}

/** Of CopyObject, UploadPartCopy and CompleteMultipartUpload. */
export function writtenReader(): AnswerReader<WrittenAnswer | LateFailure> {
  const written: Writable<WrittenAnswer> = { etag: undefined, checksumCrc32: undefined }
  const fields = children({
    ETag: { text: (text) => void (written.etag = etagOf(text)) },
    ChecksumCRC32: { text: (text) => void (written.checksumCrc32 = text) },
  })
  return answerReader(fields, () => written)
}

function etagOf(text: string): string | undefined {
  const etag = copied(text)
  return etag.startsWith('"') && etag.endsWith('"') && etag.length > 1 ? etag : quoted(etag)
}

export interface PartsPage {
  readonly parts: readonly Part[]
  /** Where the next page begins; undefined at the end. */
  readonly next: string | undefined
}

/** Of ListParts. */
export function partsReader(): AnswerReader<PartsPage> {
  const parts: Part[] = []
  let part = emptyPart()
  let [truncated, next] = [false, '']
  const fields = children({
    PartNumber: { text: (text) => void (part.number = numberOf(text)) },
    Size: { text: (text) => void (part.size = numberOf(text)) },
    ETag: { text: (text) => void (part.etag = etagOf(text) ?? '') },
    ChecksumCRC32: { text: (text) => void (part.crc32 = text) },
  })
  const add = (): void => {
    parts.push(part)
    part = emptyPart()
  }
  const listing = children({
    Part: { children: fields, end: add },
    IsTruncated: { text: (text) => void (truncated = booleanOf(text)) },
    NextPartNumberMarker: { text: (text) => void (next = text) },
  })
  return plainReader(listing, () => ({ parts, next: truncated && next !== '' ? next : undefined }))
}

function emptyPart(): Writable<Part> {
  return { number: 0, etag: '', size: 0, crc32: undefined }
}
