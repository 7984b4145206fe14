/**
 * Amazon S3, and every store that speaks its protocol, as a disk.
 *
 * A file is an object, its path the key. Small files are one request, large ones go up in parts and come down in ranges side by side
 * (uploading.ts, object-body.ts); conditions are the store's to judge; directories are what keys have in common. Nothing is loaded
 * and nobody is asked before the first operation. What is asked of the store goes through one interface: requests.ts.
 */
import { moveByCopy } from '../../derive.ts'
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
import { S3ObjectAcls } from './acl.ts'
import { S3Buckets } from './buckets.ts'
import { S3Connection } from './client.ts'
import { copyObject } from './copying.ts'
import { deleteObjects } from './deleting.ts'
import { readObject } from './downloading.ts'
import { statOf } from './facts.ts'
import { checkKey } from './keys.ts'
import { listObjects } from './listing.ts'
import { locationOf } from './location.ts'
import { multipartOf } from './multipart.ts'
import { type PruneOptions, type PruneResult, pruneIncompleteUploads } from './prune.ts'
import { ReadAhead } from './read-ahead.ts'
import { SdkRequests } from './sdk-requests.ts'
import { type S3DriverOptions, type S3Settings, settingsOf } from './settings.ts'
import { presign } from './signing.ts'
import { S3Store } from './store.ts'
import { writeObject } from './uploading.ts'
import { publicUrl } from './urls.ts'
import { type S3Version, versions } from './versions.ts'
import { visibilityOf } from './visibility.ts'

export type { S3Acl, S3AclOptions, S3AclPermission, S3CannedAcl, S3Grant, S3Grantee, S3ObjectAcls } from './acl.ts'
export type { S3BucketEncryption } from './bucket-settings.ts'
export type { S3BucketInfo, S3Buckets, S3CreateBucketOptions } from './buckets.ts'
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
  readonly #store: S3Store
  readonly #listing: ReadAhead

  /** Opens nothing. @throws ConfigurationError for what cannot work, whatever the store answers */
  constructor(options: S3DriverOptions) {
    const settings = settingsOf(options)
    this.#settings = settings
    this.#connection = new S3Connection(settings)
    this.#store = new S3Store(settings, new SdkRequests(settings, this.#connection))
    this.#listing = new ReadAhead((directory, given) => listObjects(this.#store, directory, given))
    this.name = settings.name === 's3' ? 's3' : `s3:${settings.name}`
    this.supports = supportsOf(settings)
    this.visibility = settings.acl ? visibilityOf(this.#store) : undefined
    this.multipart = multipartOf(this.#store, (path) => this.#listing.changed([path]))
    this.buckets = new S3Buckets(this.#connection, settings)
    this.acl = new S3ObjectAcls(this.#connection, settings)
    const hasUrls = settings.features.publicUrl || settings.url !== undefined
    this.publicUrl = hasUrls ? (path) => publicUrl(this.#connection, settings, checkKey(path)) : undefined
  }

  async signUrl(path: string, options: SignOptions): Promise<SignedRequest> {
    return presign(this.#connection, this.#settings, checkKey(path), options)
  }

  async stat(path: string, { ifMatch, versionId, signal }: ReadOptions): Promise<FileStat> {
    const head = await this.#store.head(checkKey(path), { ifMatch, versionId, signal })
    return statOf(path, head, head.contentLength)
  }

  read(path: string, options: ReadOptions): Promise<ReadResult> {
    return readObject(this.#store, path, options)
  }

  async write(path: string, content: Content, options: WriteOptions): Promise<WriteResult> {
    try {
      return await writeObject(this.#store, path, content, options)
    } finally {
      this.#listing.changed([path]) // a failure may have done it, too
    }
  }

  async delete(paths: readonly string[], options: DeleteOptions): Promise<readonly DeleteFailure[]> {
    try {
      return await deleteObjects(this.#store, paths, options)
    } finally {
      this.#listing.changed(paths)
    }
  }

  async list(directory: string, options: ListOptions): Promise<Page> {
    options.signal?.throwIfAborted()
    return this.#listing.list(directory, options)
  }

  async copy(from: string, to: string, options: WriteOptions): Promise<void> {
    try {
      await copyObject(this.#store, from, to, options)
    } finally {
      this.#listing.changed([to])
    }
  }

  /** A copy and a delete: S3 cannot rename. */
  async move(from: string, to: string, options: WriteOptions): Promise<void> {
    checkKey(to)
    await moveByCopy(this, checkKey(from), to, options)
  }

  /** The versions of a file, the newest first. @throws UnsupportedError, at the first step, where the store has none */
  versions(path: string, options: CallOptions = {}): AsyncIterable<S3Version> {
    return versions({ connection: this.#connection, settings: this.#settings }, path, options)
  }

  /** Aborts uploads that were begun before a time and never completed: they cost like files. @throws PartialFailureError */
  pruneIncompleteUploads(options: PruneOptions): Promise<PruneResult> {
    return pruneIncompleteUploads({ connection: this.#connection, settings: this.#settings }, options)
  }

  locate(path: string): Location {
    return locationOf(this.#settings, path)
  }

  async close(): Promise<void> {
    this.#listing.close()
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
