/**
 * THE SEAM between what users hold (`Disk`) and what talks to a store. Types only.
 *
 *   Disk ── stat read write delete list copy move ──▶ decorator ──▶ … ──▶ driver ──▶ store
 *
 * A decorator is a function `(inner: Driver) => Driver` that lists every member: nothing is inherited, so a member added here
 * later cannot slip past a decorator unseen. Paths are normal (see path.ts) and relative to the driver; errors are StorageErrors
 * without a place, which `Disk` fills in. What every driver has to keep is in drivers/README.md, and the conformance kit checks it.
 */
/// <reference types="node" preserve="true" />
import type { StorageError } from './errors.ts'

export interface Driver {
  /** The kind of this layer, for `disk.layer(kind)`: `s3`, `encrypted`. */
  readonly kind: string
  /** The stack as a person reads it: `encrypted(s3)`. */
  readonly name: string
  /** The drivers this one wraps, the primary first; none for a leaf. */
  readonly inner: readonly Driver[]
  /** What the whole stack can do, apart from the abilities below. */
  readonly supports: Supports

  // Abilities that some stores lack; undefined is absence. Not optional on purpose: a decorator that forgets one must not compile.
  readonly visibility: VisibilityAbility | undefined
  /** Real directories. Without this ability directories are derived from the paths of files. */
  readonly directories: DirectoryAbility | undefined
  readonly multipart: MultipartAbility | undefined
  /** Adds to the end of a file, creating it. Bytes are one write call; of a stream, what was appended before a failure stays. */
  readonly append: ((path: string, content: Content, options: WriteOptions) => Promise<void>) | undefined
  readonly publicUrl: ((path: string) => Promise<string>) | undefined
  readonly signUrl: ((path: string, options: SignOptions) => Promise<SignedRequest>) | undefined

  /** @throws FileNotFoundError also for a directory */
  stat(path: string, options: ReadOptions): Promise<FileStat>
  /** Facts and body in one request. A body that is not wanted is given back with `discard(body)`. */
  read(path: string, options: ReadOptions): Promise<ReadResult>
  /** Creates or replaces, parents included. Readers see the old or the new file; a failure leaves the old one and no litter. */
  write(path: string, content: Content, options: WriteOptions): Promise<WriteResult>
  /** Deletes files; absent ones are fine. @returns the paths that could not be deleted, and why */
  delete(paths: readonly string[], options: DeleteOptions): Promise<readonly DeleteFailure[]>
  /** One page of a directory (`''` is the root), ordered by UTF-8 bytes, a directory as its path plus `/`. */
  list(directory: string, options: ListOptions): Promise<Page>
  /** Keeps content type, metadata and visibility but for those given. Onto itself it does nothing if the file exists. */
  copy(from: string, to: string, options: WriteOptions): Promise<void>
  /** As `copy`; the source goes only once the copy is whole. */
  move(from: string, to: string, options: WriteOptions): Promise<void>
  /** Where the bytes are, so that two disks can tell that they share a store; undefined where bytes are changed on the way. */
  locate(path: string): Location | undefined
  /** Releases what this layer opened, not what it wraps: who built the stack closes each layer, outermost first. Idempotent. */
  close(): Promise<void>
}

/** A function from driver to driver. The result lists every member of `Driver`. */
export type Decorator = (inner: Driver) => Driver

/**
 * The layers that `disk.layer(kind)` knows by type. Each driver and decorator merges its own:
 * `declare module '../driver.ts' { interface Layers { memory: MemoryDriver } }`.
 */
// oxlint-disable-next-line no-empty-interface -- merged into
export interface Layers {}

/** Plain facts about a whole stack. */
export interface Supports {
  readonly ifAbsent: boolean
  readonly ifMatch: boolean
  /** A range costs its bytes, not the file's. */
  readonly rangedRead: boolean
  /** `copy` does not carry the bytes through this process. */
  readonly serverSideCopy: boolean
  /** User metadata and content headers are stored and come back from `stat`. */
  readonly metadata: boolean
  readonly versions: boolean
  /** `signUrl` signs GET and HEAD. */
  readonly temporaryUrl: boolean
  /** `signUrl` signs uploads. */
  readonly temporaryUploadUrl: boolean
  /** Some layer changes bytes so that the store cannot read them. */
  readonly encryptedAtRest: boolean
}

export type Visibility = 'public' | 'private'

export interface VisibilityAbility {
  get(path: string, options: CallOptions): Promise<Visibility>
  set(path: string, visibility: Visibility, options: CallOptions): Promise<void>
}

export interface DirectoryAbility {
  exists(path: string, options: CallOptions): Promise<boolean>
  /** With its parents; an existing one is fine. @throws FileExistsError where a file is */
  create(path: string, options: CallOptions & { readonly visibility?: Visibility | undefined }): Promise<void>
  /** With all it holds; a missing one is fine. The root is emptied and stays. @returns the number of files deleted */
  delete(path: string, options: CallOptions): Promise<number>
}

export interface MultipartAbility {
  /** Begins an upload that no reader sees before `complete`. @returns its id */
  create(path: string, options: WriteOptions): Promise<string>
  /** Uploads part `number`, from 1; again replaces it. */
  part(path: string, uploadId: string, number: number, content: Content, options: CallOptions): Promise<UploadedPart>
  list(path: string, uploadId: string, options: CallOptions): Promise<readonly UploadedPart[]>
  complete(path: string, uploadId: string, parts: readonly UploadedPart[], options: WriteOptions): Promise<WriteResult>
  /** Forgets the upload and its parts; an unknown one is fine. */
  abort(path: string, uploadId: string, options: CallOptions): Promise<void>
}

export interface UploadedPart {
  readonly number: number
  readonly size: number
  readonly etag: string
}

/** Bytes going in, in one shape for every layer. */
export interface Content {
  /** In bytes, when it is known before the first byte is read. */
  readonly size: number | undefined
  /** `stream()` may be called again for the same bytes: what makes a retry correct. */
  readonly replayable: boolean
  /** The whole content when it is in memory already. */
  readonly bytes: Uint8Array | undefined
  stream(): AsyncIterable<Uint8Array>
}

/** Bytes coming out. It is read once: iterated, or taken whole by `bytes` where a driver has a faster way. */
export interface Body extends AsyncIterable<Uint8Array> {
  readonly bytes?: (() => Promise<Uint8Array>) | undefined
}

/** In bytes; `end` is exclusive. `suffix`: that many bytes at the end. */
export type Range =
  | { readonly start: number; readonly end?: number | undefined; readonly suffix?: undefined }
  | { readonly suffix: number; readonly start?: undefined; readonly end?: undefined }

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

export interface ReadOptions extends CallOptions {
  readonly range?: Range | undefined
  /** Only this version of the file, by its etag. @throws PreconditionFailedError */
  readonly ifMatch?: string | undefined
  readonly versionId?: string | undefined
}

export interface ReadResult {
  /** Of the whole file, also for a range. */
  readonly stat: FileStat
  readonly body: Body
}

/** Headers that a store keeps with a file and sends with it. */
export interface ContentHeaders {
  readonly contentType?: string | undefined
  readonly cacheControl?: string | undefined
  readonly contentDisposition?: string | undefined
  readonly contentEncoding?: string | undefined
  readonly contentLanguage?: string | undefined
}

export interface WriteOptions extends CallOptions, ContentHeaders {
  /** User metadata. Names are kept in lower case by most object stores. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** Advisory: stores without tags leave them out. */
  readonly tags?: Readonly<Record<string, string>> | undefined
  readonly visibility?: Visibility | undefined
  /** Advisory: stores without storage classes leave it out. */
  readonly storageClass?: string | undefined
  /** Write only when nothing is there; of several at once exactly one wins. @throws FileExistsError */
  readonly ifAbsent?: boolean | undefined
  /** Write only over the version with this etag. @throws PreconditionFailedError */
  readonly ifMatch?: string | undefined
  /** What the content must hash to. `Disk` checks it as the bytes pass, so that a driver needs it only to send it along. @throws IntegrityError */
  readonly checksum?: Checksum | undefined
}

export interface Checksum {
  readonly algorithm: ChecksumAlgorithm
  /** Lower-case hex. */
  readonly value: string
}

export type ChecksumAlgorithm = 'md5' | 'sha1' | 'sha256' | 'sha512' | 'crc32' | 'crc32c'

export interface WriteResult {
  readonly size: number
  readonly etag?: string | undefined
  readonly versionId?: string | undefined
}

export interface FileStat extends ContentHeaders {
  readonly path: string
  /** In bytes. */
  readonly size: number
  readonly lastModified: Date
  /** Changes whenever the content does. Not a checksum. */
  readonly etag?: string | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
  readonly visibility?: Visibility | undefined
  readonly storageClass?: string | undefined
  readonly versionId?: string | undefined
}

export interface DeleteOptions extends CallOptions {
  readonly versionId?: string | undefined
}

export interface DeleteFailure {
  readonly path: string
  readonly error: StorageError
}

export interface ListOptions extends CallOptions {
  readonly recursive?: boolean | undefined
  /** What the page before gave; only good for the same directory and `recursive`. */
  readonly cursor?: string | undefined
  /** Only entries after this path, in the order of the listing. */
  readonly after?: string | undefined
  /** At most so many entries on the page. */
  readonly limit?: number | undefined
  /** False leaves size, date and etag out where they would cost a call per file. */
  readonly stat?: boolean | undefined
}

export interface FileEntry {
  readonly type: 'file'
  readonly path: string
  readonly size?: number | undefined
  readonly lastModified?: Date | undefined
  readonly etag?: string | undefined
}

export interface DirectoryEntry {
  readonly type: 'directory'
  readonly path: string
}

/** An item of a listing. */
export type Entry = FileEntry | DirectoryEntry

export interface Page {
  readonly entries: readonly Entry[]
  /** Absent on the last page. */
  readonly cursor?: string | undefined
}

export interface SignOptions {
  readonly method: 'GET' | 'HEAD' | 'PUT'
  readonly expiresAt: Date
  /** For GET: what the answer says. For PUT: what the upload must say. */
  readonly contentType?: string | undefined
  /** For GET: what the answer says. */
  readonly contentDisposition?: string | undefined
  /** For PUT, in bytes; a store that cannot enforce it throws UnsupportedError. */
  readonly maxSize?: number | undefined
  readonly minSize?: number | undefined
  /** For PUT: stored with the file. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

/** A request that whoever holds it may make until it expires. */
export interface SignedRequest {
  readonly url: string
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST'
  /** Headers that have to be sent as they are. */
  readonly headers: Readonly<Record<string, string>>
  /** For POST: the form fields that go before the file. */
  readonly fields?: Readonly<Record<string, string>> | undefined
}

/** The store's identity (real root; endpoint and bucket) and the key in it. */
export interface Location {
  readonly store: string
  readonly key: string
}

/**
 * Buckets, or containers, of a store: what `disk.buckets` gives. A driver that has them has a member `buckets`; a store's own
 * extras are on its richer type, reached by `disk.layer(kind)?.buckets`. A name that is left out is the disk's own bucket.
 * Setting replaces the whole setting. What the store lacks is undefined.
 */
export interface Buckets {
  /** @throws FileExistsError when there is one, of whomever */
  create(name?: string, options?: CallOptions): Promise<void>
  /** Those that the credentials own, by name. */
  list(options?: CallOptions): Promise<readonly BucketEntry[]>
  /** False only when there is none; one that others own is there. */
  exists(name?: string, options?: CallOptions): Promise<boolean>
  /** What can be found out: facts that the credentials may not see are left out. @throws ConfigurationError when there is none */
  info(name?: string, options?: CallOptions): Promise<BucketInfo>
  /** An absent one is fine. `force` empties it first: files, versions and open uploads. @throws StorageError when it is not empty */
  delete(name?: string, options?: CallOptions & { readonly force?: boolean | undefined }): Promise<void>
  /** What new files are encrypted with when their writer does not say. Undefined: the store's own way. */
  readonly encryption: BucketSetting<BucketEncryption | undefined> | undefined
  readonly versioning: BucketSetting<BucketVersioning> | undefined
  readonly lifecycle: BucketSetting<readonly LifecycleRule[]> | undefined
}

export interface BucketSetting<Value> {
  get(name?: string, options?: CallOptions): Promise<Value>
  set(value: Value, name?: string, options?: CallOptions): Promise<void>
}

export interface BucketEntry {
  readonly name: string
  readonly created?: Date | undefined
}

export interface BucketInfo extends BucketEntry {
  readonly region?: string | undefined
  readonly versioning?: BucketVersioning | undefined
  readonly encryption?: BucketEncryption | undefined
  /** `blocked`: nothing in it can be made public, whatever a file says. */
  readonly publicAccess?: 'blocked' | 'allowed' | undefined
}

export interface BucketEncryption {
  /** `store`: keys that the store keeps; `kms`: of its key service. */
  readonly type: 'store' | 'kms'
  /** For `kms`: which key. Default: the account's own. */
  readonly keyId?: string | undefined
}

/** `suspended`: old versions stay, new ones are not made. */
export type BucketVersioning = 'enabled' | 'suspended' | 'off'

/** What happens to files by themselves. Days count from when a version was written, or stopped being the current one. */
export interface LifecycleRule {
  /** Default: one that the store makes. */
  readonly id?: string | undefined
  /** Default: true. */
  readonly enabled?: boolean | undefined
  /** Which files. All that are given must fit. Default: every file of the bucket. */
  readonly filter?: LifecycleFilter | undefined
  readonly transitions?: readonly LifecycleTransition[] | undefined
  /** Deletes files; with versioning, the current version becomes an old one. */
  readonly expire?: LifecycleTime | undefined
  /** What happens to versions that are not the current one any more. */
  readonly noncurrent?: LifecycleNoncurrent | undefined
  /** Forgets uploads that were begun so many days ago and never completed. */
  readonly abortUploads?: { readonly days: number } | undefined
}

export interface LifecycleFilter {
  /** Of the keys in the bucket, not of the disk's paths. */
  readonly prefix?: string | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
  /** In bytes: files larger than this. */
  readonly largerThan?: number | undefined
  /** In bytes: files smaller than this. */
  readonly smallerThan?: number | undefined
}

export type LifecycleTime = { readonly days: number; readonly date?: undefined } | { readonly date: Date; readonly days?: undefined }

export type LifecycleTransition = LifecycleTime & { readonly storageClass: string }

export interface LifecycleNoncurrent {
  readonly transitions?: readonly { readonly days: number; readonly storageClass: string }[] | undefined
  readonly expire?: { readonly days: number } | undefined
  /** So many of the old versions stay, whatever their age. */
  readonly keep?: number | undefined
}
