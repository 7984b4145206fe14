/** What the files and buckets of a project go through, loaded by the first operation. What it asks of the store goes through api.ts. */
import { contentTypeOf } from '../../content-type.ts'
import type {
  CallOptions,
  Content,
  DeleteFailure,
  DeleteOptions,
  FileStat,
  ListOptions,
  MultipartAbility,
  Page,
  ReadOptions,
  ReadResult,
  SignedRequest,
  SignOptions,
  VisibilityAbility,
  WriteOptions,
  WriteResult,
} from '../../driver.ts'
import { UnsupportedError } from '../../errors.ts'
import { encodePath, encodeSegment } from '../../path.ts'
import { visibilityOf } from './acl.ts'
import { addressOf } from './address.ts'
import { GcsApi } from './api.ts'
import { bucketsOf } from './buckets.ts'
import { append } from './compose.ts'
import { copy, move, statObject } from './copying.ts'
import { deleteMany } from './deleting.ts'
import { read } from './download.ts'
import type { GcsBuckets } from './gcs-buckets.ts'
import { list } from './listing.ts'
import { multipartOf } from './multipart.ts'
import { conditionOf, nameOf, predefinedAcl, resourceOf } from './objects.ts'
import { prune, type PruneOptions, type PruneResult } from './prune.ts'
import type { GcsSettings } from './settings.ts'
import { sign } from './signing.ts'
import { upload } from './upload.ts'
import { type GcsVersion, versions } from './versions.ts'

export class GcsOperations {
  /** By ACLs: only of use where the bucket has no uniform access. */
  readonly visibility: VisibilityAbility
  readonly multipart: MultipartAbility
  readonly buckets: GcsBuckets

  readonly #api: GcsApi
  readonly #now: () => Date

  constructor(settings: GcsSettings, now: () => Date) {
    this.#api = new GcsApi(settings, now)
    this.#now = now
    this.visibility = visibilityOf(this.#api)
    this.multipart = multipartOf(this.#api)
    this.buckets = bucketsOf(this.#api)
  }

  async append(path: string, content: Content, options: WriteOptions): Promise<void> {
    await append(this.#api, nameOf(path), content, this.#judged(options))
  }

  async publicUrl(path: string): Promise<string> {
    return `${addressOf(this.#api.settings)}/${encodeSegment(this.#api.settings.bucket)}/${encodePath(nameOf(path))}`
  }

  async signUrl(path: string, options: SignOptions): Promise<SignedRequest> {
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

  versions(path: string, options: CallOptions): AsyncGenerator<GcsVersion, void, undefined> {
    return versions(this.#api, path, options)
  }

  async pruneIncompleteUploads(options: PruneOptions): Promise<PruneResult> {
    return prune(this.#api, options, this.#now())
  }

  /** Connections to the store, now. */
  get connections(): { readonly open: number; readonly idle: number } {
    return this.#api.transport.connections
  }

  close(): void {
    this.#api.close()
  }

  /** `Disk` refuses a visibility before; a driver that is called by hand refuses it too. */
  #judged(options: WriteOptions): WriteOptions {
    if (options.visibility !== undefined && this.#api.settings.uniformAccess)
      throw new UnsupportedError('the bucket has uniform access, so files have no visibility of their own: see "uniformAccess"')
    return options
  }
}
