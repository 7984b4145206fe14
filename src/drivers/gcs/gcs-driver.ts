/**
 * Google Cloud Storage, over its JSON API, with the credentials and signatures of `@google-cloud/storage`.
 *
 *   gcs-driver.ts ─ settings and abilities; the first operation loads the rest
 *   operations.ts ─ upload · session · download · listing · copying · compose · multipart · signing · acl · buckets
 *        api.ts   ─ authorised, repeated, translated (gcs-errors.ts)  ─ connection.ts: the SDK  ─ http.ts: Node's client
 *
 * The etag of a file is its generation, which is what the store's preconditions take: conditions are decided in the request that
 * writes. Directories are derived from names.
 */
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
import { lazyMultipart, lazyVisibility } from '../../lazy-abilities.ts'
import { Lazy } from '../../lazy.ts'
import { addressOf } from './address.ts'
import { type GcsBuckets, lazyBuckets } from './gcs-buckets.ts'
import type { GcsOperations } from './operations.ts'
import type { PruneOptions, PruneResult } from './prune.ts'
import { type GcsDriverOptions, type GcsSettings, settingsOf } from './settings.ts'
import type { GcsVersion } from './versions.ts'

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

  readonly #settings: GcsSettings
  readonly #operations: Lazy<GcsOperations>

  /** @throws ConfigurationError for what cannot work; nothing is opened or asked for */
  constructor(options: GcsDriverOptions, now: () => Date = () => new Date()) {
    const settings = settingsOf(options)
    const operations = new Lazy(async () => new (await import('./operations.ts')).GcsOperations(settings, now))
    this.#settings = settings
    this.#operations = operations
    this.visibility = settings.uniformAccess ? undefined : lazyVisibility(operations)
    this.multipart = lazyMultipart(operations)
    this.buckets = lazyBuckets(operations)
  }

  /** Adds to the end inside the store: the addition is uploaded by itself, and composed with the file. */
  readonly append = (path: string, content: Content, options: WriteOptions): Promise<void> => {
    return this.#operations.use((operations) => operations.append(path, content, options))
  }

  /** What everybody asks for; whether they may read it is the bucket's, or the file's ACL's, to say. */
  readonly publicUrl = (path: string): Promise<string> => {
    return this.#operations.use((operations) => operations.publicUrl(path))
  }

  readonly signUrl = (path: string, options: SignOptions): Promise<SignedRequest> => {
    return this.#operations.use((operations) => operations.signUrl(path, options))
  }

  stat(path: string, options: ReadOptions): Promise<FileStat> {
    return this.#operations.use((operations) => operations.stat(path, options))
  }

  read(path: string, options: ReadOptions): Promise<ReadResult> {
    return this.#operations.use((operations) => operations.read(path, options))
  }

  write(path: string, content: Content, options: WriteOptions): Promise<WriteResult> {
    return this.#operations.use((operations) => operations.write(path, content, options))
  }

  delete(paths: readonly string[], options: DeleteOptions): Promise<readonly DeleteFailure[]> {
    return this.#operations.use((operations) => operations.delete(paths, options))
  }

  list(directory: string, options: ListOptions): Promise<Page> {
    return this.#operations.use((operations) => operations.list(directory, options))
  }

  copy(from: string, to: string, options: WriteOptions): Promise<void> {
    return this.#operations.use((operations) => operations.copy(from, to, options))
  }

  move(from: string, to: string, options: WriteOptions): Promise<void> {
    return this.#operations.use((operations) => operations.move(from, to, options))
  }

  locate(path: string): Location {
    return { store: `gcs:${addressOf(this.#settings)}/${this.#settings.bucket}`, key: path }
  }

  /** The versions of a file, the newest first. A deleted file has old versions only. */
  async *versions(path: string, options: CallOptions = {}): AsyncGenerator<GcsVersion, void, undefined> {
    yield* await this.#operations.use(async (operations) => operations.versions(path, options))
  }

  /**
   * Removes what killed processes left in `.stowage/`: parts of uploads that nobody completed, and additions. Sessions of resumable
   * uploads end by themselves after a week.
   */
  pruneIncompleteUploads(options: PruneOptions): Promise<PruneResult> {
    return this.#operations.use((operations) => operations.pruneIncompleteUploads(options))
  }

  /** Connections of this driver to the store, now. */
  get connections(): { readonly open: number; readonly idle: number } {
    return this.#operations.loaded?.connections ?? { open: 0, idle: 0 }
  }

  async close(): Promise<void> {
    await this.#operations.ifUsed((operations) => operations.close())
  }
}
