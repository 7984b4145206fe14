/**
 * Google Cloud Storage, over its JSON API, with the credentials and signatures of `@google-cloud/storage`.
 *
 *   gcs-driver.ts ─ upload · session · download · listing · copying · compose · multipart · signing · acl · buckets
 *        api.ts   ─ authorised, repeated, translated (gcs-errors.ts)  ─ connection.ts: the SDK  ─ http.ts: Node's client
 *
 * The etag of a file is its generation, which is what the store's preconditions take: conditions are decided in the request that
 * writes. Directories are derived from names.
 */
import { contentTypeOf } from '../../content-type.ts'
import type {
  CallOptions,
  Content,
  DeleteFailure,
  DeleteOptions,
  Driver,
  FileStat,
  ListOptions,
  Location,
  MultipartAbility,
  Page,
  ReadOptions,
  ReadResult,
  SignedRequest,
  SignOptions,
  Supports,
  VisibilityAbility,
  WriteOptions,
  WriteResult,
} from '../../driver.ts'
import { UnsupportedError } from '../../errors.ts'
import { encodePath, encodeSegment } from '../../path.ts'
import { visibilityOf } from './acl.ts'
import { GcsApi } from './api.ts'
import { bucketsOf, type GcsBuckets } from './buckets.ts'
import { addressOf } from './connection.ts'
import { append } from './compose.ts'
import { copy, move, statObject } from './copying.ts'
import { deleteMany } from './deleting.ts'
import { read } from './download.ts'
import { list } from './listing.ts'
import { multipartOf } from './multipart.ts'
import { conditionOf, nameOf, predefinedAcl, resourceOf } from './objects.ts'
import { prune, type PruneOptions, type PruneResult } from './prune.ts'
import { type GcsDriverOptions, settingsOf } from './settings.ts'
import { sign } from './signing.ts'
import { upload } from './upload.ts'
import { type GcsVersion, versions } from './versions.ts'

export type { GcsBuckets, GcsDriverOptions, GcsVersion, PruneOptions, PruneResult }

declare module '../../driver.ts' {
  interface Layers {
    gcs: GcsDriver
  }
}

/** The files of a bucket. */
export class GcsDriver implements Driver {
  readonly kind = 'gcs'
  readonly name = 'gcs'
  readonly inner: readonly Driver[] = []
  readonly supports: Supports = {
    ifAbsent: true,
    ifMatch: true,
    rangedRead: true,
    serverSideCopy: true,
    metadata: true,
    versions: true,
    temporaryUrl: true,
    temporaryUploadUrl: true,
    encryptedAtRest: false,
  }
  readonly directories = undefined
  readonly visibility: VisibilityAbility | undefined
  readonly multipart: MultipartAbility
  /** Buckets of the project. */
  readonly buckets: GcsBuckets

  readonly #api: GcsApi
  readonly #now: () => Date

  /** @throws ConfigurationError for what cannot work; nothing is opened or asked for */
  constructor(options: GcsDriverOptions, now: () => Date = () => new Date()) {
    this.#api = new GcsApi(settingsOf(options), now)
    this.#now = now
    this.visibility = this.#api.settings.uniformAccess ? undefined : visibilityOf(this.#api)
    this.multipart = multipartOf(this.#api)
    this.buckets = bucketsOf(this.#api)
  }

  /** Adds to the end inside the store: the addition is uploaded by itself, and composed with the file. */
  readonly append = async (path: string, content: Content, options: WriteOptions): Promise<void> => {
    await append(this.#api, nameOf(path), content, this.#judged(options))
  }

  /** What everybody asks for; whether they may read it is the bucket's, or the file's ACL's, to say. */
  readonly publicUrl = async (path: string): Promise<string> => {
    return `${addressOf(this.#api.settings)}/${encodeSegment(this.#api.settings.bucket)}/${encodePath(nameOf(path))}`
  }

  readonly signUrl = async (path: string, options: SignOptions): Promise<SignedRequest> => {
    const name = nameOf(path)
    return sign(await this.#api.connection(), { bucket: this.#api.settings.bucket, name, now: this.#now() }, options)
  }

  async stat(path: string, { ifMatch, versionId, signal }: ReadOptions): Promise<FileStat> {
    const { condition, query } = conditionOf({ ifMatch })
    return statObject(this.#api, nameOf(path), { query: { ...query, generation: versionId }, condition, signal })
  }

  async read(path: string, options: ReadOptions): Promise<ReadResult> {
    return read(this.#api, nameOf(path), options)
  }

  async write(path: string, content: Content, options: WriteOptions): Promise<WriteResult> {
    const name = nameOf(path)
    const { visibility, signal } = this.#judged(options)
    const { condition, query } = conditionOf(options)
    signal?.throwIfAborted()
    const contentType = options.contentType ?? (await contentTypeOf(path))
    const resource = resourceOf({ ...options, contentType, storageClass: options.storageClass ?? this.#api.settings.storageClass })
    const acl = predefinedAcl(visibility)
    const target = { name, resource, query: { ...query, predefinedAcl: acl }, condition, acl: acl !== undefined, signal }
    const { size, generation } = await upload(this.#api, target, content)
    return { size: Number(size), etag: generation, versionId: generation }
  }

  async delete(paths: readonly string[], options: DeleteOptions): Promise<readonly DeleteFailure[]> {
    options.signal?.throwIfAborted()
    return deleteMany(this.#api, paths.map(nameOf), options)
  }

  async list(directory: string, options: ListOptions): Promise<Page> {
    return list(this.#api, directory, options)
  }

  async copy(from: string, to: string, options: WriteOptions): Promise<void> {
    await copy(this.#api, nameOf(from), nameOf(to), this.#judged(options))
  }

  async move(from: string, to: string, options: WriteOptions): Promise<void> {
    await move(this.#api, nameOf(from), nameOf(to), this.#judged(options))
  }

  locate(path: string): Location {
    return { store: `gcs:${addressOf(this.#api.settings)}/${this.#api.settings.bucket}`, key: path }
  }

  /** The versions of a file, the newest first. A deleted file has old versions only. */
  versions(path: string, options: CallOptions = {}): AsyncGenerator<GcsVersion, void, undefined> {
    return versions(this.#api, path, options)
  }

  /**
   * Removes what killed processes left in `.stowage/`: parts of uploads that nobody completed, and additions. Sessions of resumable
   * uploads end by themselves after a week.
   */
  async pruneIncompleteUploads(options: PruneOptions): Promise<PruneResult> {
    return prune(this.#api, options, this.#now())
  }

  /** Connections of this driver to the store, now. */
  get connections(): { readonly open: number; readonly idle: number } {
    return this.#api.transport.connections
  }

  async close(): Promise<void> {
    this.#api.close()
  }

  /** `Disk` refuses a visibility before; a driver that is called by hand refuses it too. */
  #judged(options: WriteOptions): WriteOptions {
    if (options.visibility !== undefined && this.visibility === undefined)
      throw new UnsupportedError('the bucket has uniform access, so files have no visibility of their own: see "uniformAccess"')
    return options
  }
}
