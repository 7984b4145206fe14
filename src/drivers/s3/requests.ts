/**
 * What this driver asks of a store, in plain types: the whole of S3's protocol that moves bytes, and nothing of any client.
 *
 *   reading, writing, listing, copying ──▶ S3Requests ─┬─▶ lean/ (sockets of its own)
 *                                                      └─▶ sdk-requests.ts (@aws-sdk/client-s3)
 *
 * An implementation keeps this, whatever it is made of:
 * - A failure is a StorageError without a place (s3-errors.ts); an abort rejects with the signal's own reason, before any I/O when
 *   the signal is aborted already. `cause` tells code, status, request id and attempts, and never holds a credential.
 * - A missing bucket is a ConfigurationError, but where the answer has no body (`head`): there it is a FileNotFoundError.
 * - Failures that pass are tried again as the disk's `retries` say: bodies are bytes in memory. A request with a condition is made
 *   again only when nothing can have been written (conditions.ts).
 * - Etags come back in quotes and are sent without: Amazon takes both, radosgw only the latter.
 * - A stream that is not read to its end is destroyed by whoever was given it, and gives back its socket then.
 * - Encryption keys, checksums and the bucket are of the implementation: they go with every request that needs them.
 */
import type { CallOptions, Checksum, ContentHeaders } from '../../driver.ts'
import type { StorageError } from '../../errors.ts'
import type { ByteStream } from './byte-stream.ts'
import type { S3Identity } from './settings.ts'

export interface S3Requests {
  head(key: string, options: ReadRequest): Promise<ObjectHead>
  get(key: string, options: GetRequest): Promise<ObjectResponse>
  put(key: string, bytes: Uint8Array, options: PutRequest): Promise<Written>
  /** @throws PreconditionFailedError with `ifMatch`, where the store judges it; FileNotFoundError, too */
  delete(key: string, options: ReadRequest): Promise<void>
  /** At most 1,000 keys. @returns those that could not be deleted */
  deleteMany(keys: readonly string[], options: VersionRequest): Promise<readonly KeyFailure[]>
  list(options: ListRequest): Promise<KeyPage>
  copy(from: string, to: string, options: CopyRequest): Promise<Written>
  tags(key: string, options: VersionRequest): Promise<Readonly<Record<string, string>>>
  /** Whether everybody may read the object, by its ACL. */
  isPublic(key: string, options: VersionRequest): Promise<boolean>
  setAcl(key: string, acl: CannedAcl, options: VersionRequest): Promise<void>

  /** @returns the id of the upload */
  createUpload(key: string, options: ObjectRequest): Promise<string>
  uploadPart(address: PartAddress, bytes: Uint8Array, options: CallOptions): Promise<Part>
  copyPart(address: PartAddress, source: PartSource, options: CallOptions): Promise<Part>
  /** Every part that is there, by number. */
  listParts(upload: UploadAddress, options: CallOptions): Promise<readonly Part[]>
  completeUpload(upload: UploadAddress, parts: readonly Part[], options: ConditionRequest): Promise<Written>
  abortUpload(upload: UploadAddress, options: CallOptions): Promise<void>

  /** Whether the bucket is there; true also where that must not be known. */
  hasBucket(options: CallOptions): Promise<boolean>

  /** Who asks, where the client does not know it better: signatures that are made elsewhere are then of the same credentials. */
  readonly identity?: (() => S3Identity | Promise<S3Identity>) | undefined

  /** Closes connections of its own. A later request opens new ones. */
  close(): void
}

export interface VersionRequest extends CallOptions {
  readonly versionId?: string | undefined
}

export interface ReadRequest extends VersionRequest {
  readonly ifMatch?: string | undefined
  /** The value of a Range header: `bytes=0-9`. */
  readonly range?: string | undefined
}

export interface GetRequest extends ReadRequest {
  /** A small answer may be read before it is given. */
  readonly eager?: boolean | undefined
}

/** Facts as the store keeps them: metadata is encoded (metadata.ts). */
export interface ObjectHead extends ContentHeaders {
  /** Of what was sent, or for `head` would be: a range's, not the file's. */
  readonly contentLength: number
  /** `bytes 0-9/1234`, of an answer with a part. */
  readonly contentRange?: string | undefined
  readonly lastModified: Date
  readonly etag?: string | undefined
  readonly versionId?: string | undefined
  readonly storageClass?: string | undefined
  readonly metadata: Readonly<Record<string, string>>
  readonly tagCount: number
}

export interface ObjectResponse extends ObjectHead {
  /** Nothing comes of it where the bytes are there. */
  readonly stream: ByteStream
  /** Of all that was asked for: gets its bytes in order, whichever answers bring them, and its end. */
  readonly check?: ByteCheck | undefined
  /** All of what was asked for, of a small answer that was read already. */
  readonly bytes?: Uint8Array | undefined
}

export interface ByteCheck {
  update(chunk: Uint8Array): void
  /** After the last byte. @throws IntegrityError */
  finish(): void
}

export interface ConditionRequest extends CallOptions {
  /** `If-None-Match: *` */
  readonly ifAbsent?: boolean | undefined
  readonly ifMatch?: string | undefined
}

/** What a new object is to have; every value fit for a header. */
export interface ObjectRequest extends CallOptions, ContentHeaders {
  readonly metadata?: Readonly<Record<string, string>> | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
  readonly storageClass?: string | undefined
  /** A canned ACL: sent only where the disk has ACLs. */
  readonly acl?: CannedAcl | undefined
}

export type CannedAcl = 'private' | 'public-read'

export interface PutRequest extends ObjectRequest, ConditionRequest {
  readonly checksum?: Checksum | undefined
}

export interface CopyRequest extends ObjectRequest, ConditionRequest {
  /** Headers and metadata are those of this request instead of the source's. */
  readonly replace: boolean
  /** Only while the source has this etag. */
  readonly sourceIfMatch?: string | undefined
}

export interface Written {
  /** Missing where the store does not tell: radosgw, for a multipart upload. */
  readonly etag?: string | undefined
  readonly versionId?: string | undefined
}

export interface KeyFailure {
  readonly key: string
  readonly error: StorageError
}

export interface ListRequest extends CallOptions {
  readonly prefix: string
  /** Keys with a slash after the prefix are told as the prefixes they share. */
  readonly delimited: boolean
  /** Only keys after this one. */
  readonly after?: string | undefined
  /** In place of `after`: goes on where a page ended that said so. */
  readonly token?: string | undefined
  readonly limit: number
  /** Called with the token of the next page, which may be before this one has come; again when the request is made again. */
  readonly onToken?: ((token: string) => void) | undefined
}

export interface KeyPage {
  readonly objects: readonly ListedObject[]
  readonly prefixes: readonly string[]
  readonly truncated: boolean
}

export interface ListedObject {
  readonly key: string
  readonly size: number
  readonly lastModified: Date | undefined
  readonly etag: string | undefined
}

export interface UploadAddress {
  readonly key: string
  readonly uploadId: string
}

export interface PartAddress extends UploadAddress {
  /** From 1. */
  readonly number: number
}

export interface Part {
  readonly number: number
  readonly etag: string
  readonly size: number
  /** What `completeUpload` wants back, where parts have checksums. */
  readonly crc32?: string | undefined
}

/** A slice of another object, in bytes; `end` is exclusive. */
export interface PartSource {
  readonly key: string
  readonly start: number
  readonly end: number
  readonly ifMatch?: string | undefined
}
