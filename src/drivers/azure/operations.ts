/** What the files and containers of an account go through, loaded by the first operation, and the SDK with it. */
import type {
  Content,
  DeleteFailure,
  DeleteOptions,
  FileStat,
  ListOptions,
  Page,
  ReadOptions,
  ReadResult,
  SignedRequest,
  SignOptions,
  WriteOptions,
  WriteResult,
} from '../../driver.ts'
import { isStorageError, PreconditionFailedError } from '../../errors.ts'
import { Appends } from './append.ts'
import type { AzureContainers } from './azure-containers.ts'
import { makeBlockBlob } from './block-blob.ts'
import { AzureConnection } from './client.ts'
import { containersOf } from './containers.ts'
import { Copies, type CopyThrough } from './copy.ts'
import { deleteBlobs } from './delete-files.ts'
import { readBlob, type Source, statBlob } from './download.ts'
import { keyOf, prefixOf } from './keys.ts'
import { listBlobs } from './listing.ts'
import { pruneUncommitted } from './prune.ts'
import { publicUrl, Signatures } from './sas.ts'
import type { AzureSettings } from './settings.ts'
import type { AzurePruneOptions, AzurePruneResult } from './unfinished.ts'
import { Uploads } from './upload.ts'

export class AzureOperations {
  readonly buckets: AzureContainers

  readonly #connection: AzureConnection
  readonly #signatures: Signatures
  readonly #uploads: Uploads
  readonly #appends: Appends
  readonly #copies: Copies

  constructor(settings: AzureSettings, copyThrough: CopyThrough) {
    const connection = new AzureConnection(settings)
    this.#connection = connection
    this.#signatures = new Signatures(connection)
    this.#uploads = new Uploads(connection, (target, written) => makeBlockBlob(connection, target, written))
    this.#appends = new Appends(connection, this.#uploads)
    this.#copies = new Copies(connection, this.#signatures, copyThrough)
    this.buckets = containersOf(connection)
  }

  async signUrl(path: string, options: SignOptions): Promise<SignedRequest> {
    return this.#signatures.sign(keyOf(path), options)
  }

  async publicUrl(path: string): Promise<string> {
    return publicUrl(this.#connection, keyOf(path))
  }

  async append(path: string, content: Content, options: WriteOptions): Promise<void> {
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

  async pruneIncompleteUploads(options: AzurePruneOptions): Promise<AzurePruneResult> {
    return pruneUncommitted(this.#connection, options)
  }

  /** Closes its connections; those of an injected client stay. */
  close(): void {
    this.#connection.close()
  }
}

function sourceOf(path: string): Source {
  return { path, key: keyOf(path) }
}
