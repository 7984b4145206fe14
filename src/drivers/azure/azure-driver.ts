/**
 * A container of Azure Blob Storage as a disk.
 *
 * A file is a blob of the same name (keys.ts says where another). Writes replace in one step, by Put Blob or by committing staged
 * blocks (upload.ts); conditions are the service's own; bodies are of one version (body.ts); copies are the service's work (copy.ts).
 * Both block blobs and append blobs are files. Nothing is loaded or opened before the first operation.
 */
import { copyThroughStream } from '../../derive.ts'
import type {
  Content,
  DeleteFailure,
  DeleteOptions,
  Driver,
  FileStat,
  ListOptions,
  Location,
  Page,
  ReadOptions,
  ReadResult,
  SignedRequest,
  SignOptions,
  Supports,
  WriteOptions,
  WriteResult,
} from '../../driver.ts'
import { isStorageError, PreconditionFailedError } from '../../errors.ts'
import { Appends } from './append.ts'
import type { AzureContainers } from './azure-containers.ts'
import { AzureConnection } from './client.ts'
import { containersOf } from './containers.ts'
import { Copies } from './copy.ts'
import { deleteBlobs } from './delete-files.ts'
import { readBlob, type Source, statBlob } from './download.ts'
import { makeBlockBlob } from './block-blob.ts'
import { keyOf, prefixOf } from './keys.ts'
import { listBlobs } from './listing.ts'
import { pruneUncommitted } from './prune.ts'
import { publicUrl, Signatures } from './sas.ts'
import { type AzureDriverOptions, settingsOf } from './settings.ts'
import type { AzurePruneOptions, AzurePruneResult } from './unfinished.ts'
import { Uploads } from './upload.ts'

export type { AzureContainers, PublicAccess } from './azure-containers.ts'
export type { AzureDriverOptions } from './settings.ts'
export type { AzurePruneOptions, AzurePruneResult, UnfinishedUpload } from './unfinished.ts'

declare module '../../driver.ts' {
  interface Layers {
    azure: AzureDriver
  }
}

export class AzureDriver implements Driver {
  readonly kind = 'azure'
  readonly name = 'azure'
  readonly inner: readonly Driver[] = []
  readonly supports: Supports

  /** Only containers are public or private: `buckets.publicAccess`. */
  readonly visibility = undefined
  readonly directories = undefined
  /** Blocks that were staged belong to no upload that could be aborted, and whoever commits discards those of all others. */
  readonly multipart = undefined
  /** Undefined where nothing can sign: with a SAS token, or a client without credentials. */
  readonly signUrl: ((path: string, options: SignOptions) => Promise<SignedRequest>) | undefined
  /** The containers of the account. */
  readonly buckets: AzureContainers

  readonly #connection: AzureConnection
  readonly #uploads: Uploads
  readonly #appends: Appends
  readonly #copies: Copies

  /** @throws ConfigurationError for what cannot work, whatever the store answers */
  constructor(options: AzureDriverOptions) {
    const settings = settingsOf(options)
    const connection = new AzureConnection(settings)
    const signatures = new Signatures(connection)
    this.#connection = connection
    this.#uploads = new Uploads(connection, (target, written) => makeBlockBlob(connection, target, written))
    this.#appends = new Appends(connection, this.#uploads)
    this.#copies = new Copies(connection, signatures, ({ from, to }, kept) => copyThroughStream(this, from.path, this, to.path, kept))
    this.buckets = containersOf(connection)
    this.signUrl = settings.signs ? async (path, options) => signatures.sign(keyOf(path), options) : undefined
    this.supports = {
      ifAbsent: true,
      ifMatch: true,
      rangedRead: true,
      serverSideCopy: true,
      metadata: true,
      versions: settings.versions,
      temporaryUrl: settings.signs,
      temporaryUploadUrl: settings.signs,
      encryptedAtRest: false,
    }
  }

  /** Answers only where the container is public. */
  readonly publicUrl = async (path: string): Promise<string> => publicUrl(this.#connection, keyOf(path))

  /** A file that this makes is an append blob, to which appending is one request. Other files are extended under `ifMatch`. */
  readonly append = async (path: string, content: Content, options: WriteOptions): Promise<void> => {
    const target = sourceOf(path)
    options.signal?.throwIfAborted()
    if (options.ifAbsent) await this.#uploads.write(target, content, options)
    else await this.#appends.append(target, content, options)
  }

  async stat(path: string, options: ReadOptions): Promise<FileStat> {
    return statBlob(this.#connection, sourceOf(path), options)
  }

  async read(path: string, options: ReadOptions): Promise<ReadResult> {
    return readBlob(this.#connection, sourceOf(path), options)
  }

  async write(path: string, content: Content, options: WriteOptions): Promise<WriteResult> {
    const target = sourceOf(path)
    options.signal?.throwIfAborted()
    return this.#uploads.write(target, content, options)
  }

  async delete(paths: readonly string[], options: DeleteOptions): Promise<readonly DeleteFailure[]> {
    const blobs = paths.map(sourceOf)
    options.signal?.throwIfAborted()
    return deleteBlobs(this.#connection, blobs, options)
  }

  async list(directory: string, options: ListOptions): Promise<Page> {
    prefixOf(directory)
    options.signal?.throwIfAborted()
    return listBlobs(this.#connection, directory, options)
  }

  async copy(from: string, to: string, options: WriteOptions): Promise<void> {
    const ends = { from: sourceOf(from), to: sourceOf(to) }
    options.signal?.throwIfAborted()
    await this.#copies.copy(ends, options)
  }

  /** A copy, and a delete of the very version that was copied. @throws PreconditionFailedError when it changed; both files are kept */
  async move(from: string, to: string, options: WriteOptions): Promise<void> {
    const ends = { from: sourceOf(from), to: sourceOf(to) }
    options.signal?.throwIfAborted()
    const etag = await this.#copies.copy(ends, options)
    if (etag === undefined) return
    try {
      await this.#uploads.onlyOnce(options.signal, (container) =>
        container.getBlobClient(ends.from.key).delete({ deleteSnapshots: 'include', conditions: { ifMatch: etag } }),
      )
    } catch (error) {
      if (!isStorageError(error) || error.code !== 'precondition_failed') throw error
      throw new PreconditionFailedError('the source changed while it was being moved: it was kept, and the copy is at the target', {
        cause: error.cause,
      })
    }
  }

  /** The account's address and the container, so that two disks of one container can tell. */
  locate(path: string): Location {
    const { endpoint, container } = this.#connection.settings
    return { store: `azure:${endpoint.toLowerCase()}/${container}`, key: path === '' ? '' : keyOf(path) }
  }

  /** Removes uploads that were begun and never finished, of whomever. Azure does so itself a week after their last block. */
  async pruneIncompleteUploads(options: AzurePruneOptions): Promise<AzurePruneResult> {
    return pruneUncommitted(this.#connection, options)
  }

  /** Closes its connections; those of an injected client stay. */
  async close(): Promise<void> {
    this.#connection.close()
  }
}

function sourceOf(path: string): Source {
  return { path, key: keyOf(path) }
}
