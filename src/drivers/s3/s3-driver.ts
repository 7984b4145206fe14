/**
 * Amazon S3, and every store that speaks its protocol, as a disk.
 *
 * A file is an object, its path the key. Small files are one request, large ones go up in parts and come down in ranges side by side
 * (uploading.ts, object-body.ts); conditions are the store's to judge; directories are what keys have in common.
 *
 * Here is what a disk can be told without asking: its settings are judged, its abilities known. The first operation loads the rest.
 *
 *   S3Driver ──▶ operations.ts ──▶ requests.ts, the one interface to the store ──▶ a transport
 *            └─▶ administration.ts: buckets, ACLs, versions
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
import type { S3Access } from './access.ts'
import type { S3Administration } from './administration.ts'
import { S3Connection } from './client.ts'
import { locationOf } from './location.ts'
import type { S3Operations } from './operations.ts'
import type { PruneOptions, PruneResult } from './prune.ts'
import type { S3ObjectAcls } from './s3-acl.ts'
import { lazyBuckets, type S3Buckets } from './s3-buckets.ts'
import { type S3DriverOptions, type S3Settings, settingsOf } from './settings.ts'
import type { S3Version } from './versions.ts'

export type { S3Acl, S3AclOptions, S3AclPermission, S3CannedAcl, S3Grant, S3Grantee, S3ObjectAcls } from './s3-acl.ts'
export type { S3BucketEncryption } from './bucket-settings.ts'
export type { S3BucketInfo, S3Buckets, S3CreateBucketOptions } from './s3-buckets.ts'
export type { S3LifecycleRule } from './lifecycle.ts'
export type { S3Preset } from './presets.ts'
export type { IncompleteUpload, PruneOptions, PruneResult } from './prune.ts'
export type { S3Credentials, S3DriverOptions, S3Identity } from './settings.ts'
export type { S3Version } from './versions.ts'

declare module '../../driver.ts' {
  interface Layers {
    s3: S3Driver
  }
}

export class S3Driver implements Driver {
  readonly kind = 's3'
  /** `s3`, or with a preset `s3:minio`. */
  readonly name: string
  readonly inner: readonly Driver[] = []
  readonly supports: Supports
  readonly visibility: VisibilityAbility | undefined
  readonly directories = undefined
  readonly multipart: MultipartAbility
  readonly append = undefined
  readonly publicUrl: ((path: string) => Promise<string>) | undefined
  /** Administration of buckets; names default to the disk's own. */
  readonly buckets: S3Buckets
  /** The ACLs of files, as lists of grants. */
  readonly acl: S3ObjectAcls

  readonly #settings: S3Settings
  readonly #connection: S3Connection
  readonly #operations: Lazy<S3Operations>
  readonly #administration: Lazy<S3Administration>

  /** Opens nothing. @throws ConfigurationError for what cannot work, whatever the store answers */
  constructor(options: S3DriverOptions) {
    const settings = settingsOf(options)
    const connection = new S3Connection(settings)
    const access: S3Access = { connection, settings }
    const operations = new Lazy(async () => (await import('./operations.ts')).openOperations(access))
    const administration = new Lazy(async () => (await import('./administration.ts')).administrationOf(access))
    this.#settings = settings
    this.#connection = connection
    this.#operations = operations
    this.#administration = administration
    this.name = settings.name === 's3' ? 's3' : `s3:${settings.name}`
    this.supports = supportsOf(settings)
    this.visibility = settings.acl ? lazyVisibility(operations) : undefined
    this.multipart = lazyMultipart(operations)
    this.buckets = lazyBuckets(administration)
    this.acl = {
      get: (path, given) => administration.use(({ acl }) => acl.get(path, given)),
      set: (path, list, given) => administration.use(({ acl }) => acl.set(path, list, given)),
    }
    const hasUrls = settings.features.publicUrl || settings.url !== undefined
    this.publicUrl = hasUrls ? (path) => operations.use((loaded) => loaded.publicUrl(path)) : undefined
  }

  signUrl(path: string, options: SignOptions): Promise<SignedRequest> {
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

  /** A copy and a delete: S3 cannot rename. */
  move(from: string, to: string, options: WriteOptions): Promise<void> {
    return this.#operations.use((operations) => operations.move(from, to, options))
  }

  /** The versions of a file, the newest first. @throws UnsupportedError, at the first step, where the store has none */
  async *versions(path: string, options: CallOptions = {}): AsyncIterable<S3Version> {
    yield* await this.#administration.use(async (administration) => administration.versions(path, options))
  }

  /** Aborts uploads that were begun before a time and never completed: they cost like files. @throws PartialFailureError */
  pruneIncompleteUploads(options: PruneOptions): Promise<PruneResult> {
    return this.#administration.use((administration) => administration.pruneIncompleteUploads(options))
  }

  locate(path: string): Location {
    return locationOf(this.#settings, path)
  }

  async close(): Promise<void> {
    await this.#operations.ifUsed((operations) => operations.close())
    await this.#connection.close()
  }
}

function supportsOf({ features }: S3Settings): Supports {
  return {
    ifAbsent: features.ifAbsent,
    ifMatch: features.ifMatch,
    rangedRead: true,
    serverSideCopy: true,
    metadata: true,
    versions: features.versions,
    temporaryUrl: true,
    temporaryUploadUrl: true,
    encryptedAtRest: false,
  }
}
